"""The database functions that store events and derive records from them."""

from django.db import migrations, models

from sessions.hub.functions import CREATE, DROP


class Migration(migrations.Migration):
    dependencies = [("hub_sessions", "0006_snapshots")]

    operations = [
        migrations.RemoveIndex(model_name="snapshot", name="snapshot_complete"),
        migrations.AddIndex(
            model_name="snapshot",
            index=models.Index(fields=["hub", "time"], name="snapshot_time"),
        ),
        migrations.RunSQL(CREATE, DROP),
    ]
