"""Groups form a tree, which the database holds; people can be asked for their affiliation."""

from django.db import migrations, models

FORWARDS = """
CREATE FUNCTION accounts_keep_tree() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- One at a time: two changes that are right alone can close a ring together.
    PERFORM pg_advisory_xact_lock(hashtextextended('accounts_group_tree', 0));
    IF EXISTS (
        WITH RECURSIVE above (id) AS (
            SELECT NEW.parent_id
            UNION
            SELECT g.parent_id FROM accounts_group g JOIN above a ON g.id = a.id
            WHERE g.parent_id IS NOT NULL
        )
        SELECT FROM above WHERE id = NEW.id
    ) THEN
        RAISE EXCEPTION 'a group cannot be a part of itself'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'groups_are_a_tree';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER keep_tree BEFORE INSERT OR UPDATE OF parent_id ON accounts_group
    FOR EACH ROW WHEN (NEW.parent_id IS NOT NULL) EXECUTE FUNCTION accounts_keep_tree();
"""

BACKWARDS = """
DROP TRIGGER keep_tree ON accounts_group;
DROP FUNCTION accounts_keep_tree;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0007_invitations_to_accounts"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="affiliation_asked_at",
            field=models.DateTimeField(
                blank=True,
                editable=False,
                help_text="Since when the person is asked to sign in by institution. Empty: not asked.",
                null=True,
            ),
        ),
        migrations.RunSQL(FORWARDS, BACKWARDS),
    ]
