"""Snapshots with their parts; the earlier table of parts was never filled."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("hub_sessions", "0005_open_sessions_of_user")]

    operations = [
        migrations.DeleteModel(name="SnapshotPart"),
        migrations.CreateModel(
            name="Snapshot",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.TextField(help_text="The hub's id of the snapshot.")),
                ("key", models.UUIDField(help_text="MD5 of the name: an index key of fixed length.")),
                ("time", models.DateTimeField(help_text="The earliest of its parts.")),
                ("parts", models.PositiveIntegerField(help_text="How many parts it has, as the hub says.")),
                ("listed", models.PositiveIntegerField(default=0, help_text="Servers in the parts that arrived.")),
                ("is_complete", models.BooleanField(default=False)),
                (
                    "hub",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="hub_sessions.hub",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("is_complete", True)),
                        fields=["hub", "time"],
                        name="snapshot_complete",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("hub", "key"), name="snapshot_is_kept_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="SnapshotPart",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("part", models.PositiveIntegerField()),
                (
                    "sessions",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.UUIDField(), help_text="Ids of the sessions listed.", size=None
                    ),
                ),
                (
                    "seats",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.UUIDField(),
                        help_text="Seats listed without a session id.",
                        size=None,
                    ),
                ),
                (
                    "event",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="hub_sessions.hubevent",
                    ),
                ),
                (
                    "snapshot",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="arrived",
                        to="hub_sessions.snapshot",
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="session",
            index=models.Index(
                condition=models.Q(("absent_at__isnull", False)),
                fields=["hub"],
                name="session_absent",
            ),
        ),
    ]
