"""The event functions again: they note days when image or size of a charged session changes."""

from django.db import migrations

from sessions.hub.functions import CREATE


class Migration(migrations.Migration):
    dependencies = [("hub_sessions", "0017_newest_sessions")]

    operations = [migrations.RunSQL(CREATE, migrations.RunSQL.noop)]
