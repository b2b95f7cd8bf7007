import uuid

import django.db.models.deletion
from django.db import migrations, models

KIND = models.ForeignKey(
    db_constraint=False,
    db_index=False,
    default=uuid.UUID(int=0),
    on_delete=django.db.models.deletion.CASCADE,
    related_name="+",
    to="accounting.kind",
)


class Migration(migrations.Migration):
    dependencies = [("accounting", "0011_storage_exports")]

    operations = [
        # What was summed before lacks kinds: sum it again, in the background or by rebuild_usage.
        migrations.RunSQL(
            "INSERT INTO hub_sessions_staleday (day, group_id)"
            " SELECT DISTINCT day, group_id FROM accounting_userday;"
            " DELETE FROM accounting_summedmonth;"
            " TRUNCATE accounting_userday, accounting_membermonth;",
            migrations.RunSQL.noop,
        ),
        migrations.RemoveConstraint("membermonth", "one_sum_per_month_group_and_user"),
        migrations.RemoveConstraint("userday", "one_sum_per_group_day_and_user"),
        migrations.AddField("membermonth", "kind", KIND, preserve_default=False),
        migrations.AddField("userday", "kind", KIND, preserve_default=False),
        migrations.AddConstraint(
            "membermonth",
            models.UniqueConstraint(
                fields=("month", "group", "user", "kind"),
                name="one_sum_per_month_group_user_and_kind",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            "userday",
            models.UniqueConstraint(
                fields=("group", "day", "user", "kind"),
                name="one_sum_per_group_day_user_and_kind",
                nulls_distinct=False,
            ),
        ),
    ]
