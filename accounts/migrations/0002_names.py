"""Names of people and groups are registered by the database and are permanent."""

from django.db import migrations

FORWARDS = """
CREATE FUNCTION accounts_register_name() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO accounts_name (name, kind)
    VALUES (to_jsonb(NEW) ->> TG_ARGV[0], TG_ARGV[1]);
    RETURN NEW;
END $$;

CREATE FUNCTION accounts_keep_name() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'names are permanent' USING ERRCODE = 'check_violation';
END $$;

CREATE TRIGGER register_name BEFORE INSERT ON accounts_user
    FOR EACH ROW EXECUTE FUNCTION accounts_register_name('username', 'user');
CREATE TRIGGER register_name BEFORE INSERT ON accounts_group
    FOR EACH ROW EXECUTE FUNCTION accounts_register_name('name', 'group');
CREATE TRIGGER keep_name BEFORE UPDATE ON accounts_user
    FOR EACH ROW WHEN (OLD.username <> NEW.username) EXECUTE FUNCTION accounts_keep_name();
CREATE TRIGGER keep_name BEFORE UPDATE ON accounts_group
    FOR EACH ROW WHEN (OLD.name <> NEW.name) EXECUTE FUNCTION accounts_keep_name();
"""

BACKWARDS = """
DROP TRIGGER register_name ON accounts_user;
DROP TRIGGER register_name ON accounts_group;
DROP TRIGGER keep_name ON accounts_user;
DROP TRIGGER keep_name ON accounts_group;
DROP FUNCTION accounts_register_name;
DROP FUNCTION accounts_keep_name;
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]

    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
