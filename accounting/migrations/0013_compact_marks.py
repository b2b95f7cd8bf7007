"""Marks keep the values from which a line follows instead of the line."""

import django.contrib.postgres.constraints
import django.contrib.postgres.indexes
from django.db import migrations, models

# What was published stays to the letter: its values come out of the lines.
FROM_LINES = """
UPDATE accounting_exportmark m SET
    submitted_at = (f[11] || 'Z')::timestamptz,
    memory_mib = rtrim(f[21], 'M')::int,
    gpus = coalesce(substring(f[23] FROM 'gres/gpu=([0-9]+)')::int, 0),
    gid = f[8]::int, uid = f[10]::int, exit_code = split_part(f[16], ':', 1)::int,
    size = f[4], node = f[25], image = substr(f[26], length('notebook:') + 1)
FROM (SELECT session_id, string_to_array(line, '|') AS f FROM accounting_exportmark) l
WHERE l.session_id = m.session_id
"""

ADDED = {
    "submitted_at": models.DateTimeField(null=True),
    **{
        name: models.PositiveIntegerField(default=0)
        for name in ("memory_mib", "gpus", "uid", "gid")
    },
    "exit_code": models.IntegerField(default=0),
    **{name: models.CharField(max_length=60, default="") for name in ("size", "node", "image")},
}
KEPT = {
    "submitted_at": models.DateTimeField(),
    **{name: models.PositiveIntegerField() for name in ("memory_mib", "gpus", "uid", "gid")},
    "exit_code": models.IntegerField(),
    **{name: models.CharField(max_length=60) for name in ("size", "node", "image")},
}


class Migration(migrations.Migration):
    dependencies = [
        ("accounting", "0012_people_by_kind"),
    ]

    operations = [
        *(migrations.AddField("exportmark", name, field) for name, field in ADDED.items()),
        migrations.RunSQL(FROM_LINES, migrations.RunSQL.noop),
        *(migrations.AlterField("exportmark", name, field) for name, field in KEPT.items()),
        migrations.RemoveConstraint("exportmark", "job_id_is_used_once"),
        migrations.RemoveField("exportmark", "hub"),
        migrations.RemoveField("exportmark", "line"),
        migrations.AddIndex(
            "exportmark",
            django.contrib.postgres.indexes.BrinIndex(
                fields=["run", "job_id"], name="export_mark_of_run"
            ),
        ),
        migrations.AddField(
            "exportrun",
            "sha256",
            models.CharField(
                "SHA-256", max_length=64, blank=True, help_text="Of the job file, once it is written."
            ),
        ),
        migrations.AddConstraint(
            "exportrun",
            django.contrib.postgres.constraints.ExclusionConstraint(
                name="job_ids_of_a_hub_are_used_once",
                expressions=[
                    (models.Func("hub", "hub", models.Value("[]"), function="int8range"), "&&"),
                    (
                        models.Func(
                            "first_job_id",
                            models.F("first_job_id") + models.F("jobs"),
                            function="int8range",
                        ),
                        "&&",
                    ),
                ],
            ),
        ),
    ]
