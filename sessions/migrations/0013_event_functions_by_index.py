"""The event functions again: their plans no longer depend on how full tables were when made."""

from django.db import migrations

from sessions.hub.functions import CREATE


class Migration(migrations.Migration):
    dependencies = [("hub_sessions", "0012_affiliation")]

    operations = [migrations.RunSQL(CREATE, migrations.RunSQL.noop)]
