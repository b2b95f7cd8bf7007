"""The event functions again: a batch with a session and the lists that lack it charges it once."""

from django.db import migrations

from sessions.hub.functions import CREATE


class Migration(migrations.Migration):
    dependencies = [("hub_sessions", "0024_adopting")]

    operations = [migrations.RunSQL(CREATE, migrations.RunSQL.noop)]
