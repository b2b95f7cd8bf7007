"""Numbers of people and groups are registered by the database and are never given twice."""

import accounts.models.numbers
import lsp_portal.lib.database
from django.db import migrations, models

FORWARDS = """
-- Where a person and a group had one number, the group gets another: no file server knew it yet.
UPDATE accounts_group SET gid = 600000 + id
WHERE gid IN (SELECT uid FROM accounts_user);
INSERT INTO accounts_posixid (number, kind) SELECT uid, 'user' FROM accounts_user;
INSERT INTO accounts_posixid (number, kind) SELECT gid, 'group' FROM accounts_group;

CREATE FUNCTION accounts_lowest_free(first integer, last integer) RETURNS integer
LANGUAGE sql STABLE AS $$
    SELECT min(n) FROM (
        SELECT first WHERE NOT EXISTS (SELECT FROM accounts_posixid WHERE number = first)
        UNION ALL
        SELECT p.number + 1 FROM accounts_posixid p
        WHERE p.number >= first AND p.number < last
            AND NOT EXISTS (SELECT FROM accounts_posixid q WHERE q.number = p.number + 1)
    ) AS free (n)
$$;

-- A sequence gives the numbers: what was rolled back is not given again either. It is moved where
-- the site has another range now, or when it has come to the end of it.
CREATE FUNCTION accounts_allocate(kind text, first integer, last integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    numbers regclass := CASE kind WHEN 'user' THEN 'accounts_uid' ELSE 'accounts_gid' END;
    n integer := nextval(numbers);
BEGIN
    IF n NOT BETWEEN first AND last THEN
        PERFORM pg_advisory_xact_lock(hashtextextended('accounts_allocate', 0));
        n := nextval(numbers);
    END IF;
    WHILE n BETWEEN first AND last AND EXISTS (SELECT FROM accounts_posixid WHERE number = n) LOOP
        n := nextval(numbers);
    END LOOP;
    IF n BETWEEN first AND last THEN
        RETURN n;
    END IF;
    n := accounts_lowest_free(first, last);
    IF n IS NULL THEN
        RAISE EXCEPTION 'all numbers from % to % are given', first, last
            USING ERRCODE = 'check_violation', CONSTRAINT = 'posix_numbers_left';
    END IF;
    PERFORM setval(numbers, n);
    RETURN n;
END $$;

CREATE FUNCTION accounts_register_number() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO accounts_posixid (number, kind)
    VALUES ((to_jsonb(NEW) ->> TG_ARGV[0])::integer, TG_ARGV[1]);
    RETURN NULL;
END $$;

CREATE FUNCTION accounts_keep_number() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'numbers are permanent' USING ERRCODE = 'check_violation';
END $$;

CREATE TRIGGER register_number AFTER INSERT ON accounts_user
    FOR EACH ROW EXECUTE FUNCTION accounts_register_number('uid', 'user');
CREATE TRIGGER register_number AFTER INSERT ON accounts_group
    FOR EACH ROW EXECUTE FUNCTION accounts_register_number('gid', 'group');
CREATE TRIGGER keep_number BEFORE UPDATE ON accounts_user
    FOR EACH ROW WHEN (OLD.uid <> NEW.uid) EXECUTE FUNCTION accounts_keep_number();
CREATE TRIGGER keep_number BEFORE UPDATE ON accounts_group
    FOR EACH ROW WHEN (OLD.gid <> NEW.gid) EXECUTE FUNCTION accounts_keep_number();
CREATE TRIGGER keep_number BEFORE UPDATE OR DELETE ON accounts_posixid
    FOR EACH ROW EXECUTE FUNCTION accounts_keep_number();
"""

BACKWARDS = """
DROP TRIGGER register_number ON accounts_user;
DROP TRIGGER register_number ON accounts_group;
DROP TRIGGER keep_number ON accounts_user;
DROP TRIGGER keep_number ON accounts_group;
DROP TRIGGER keep_number ON accounts_posixid;
DROP FUNCTION accounts_register_number;
DROP FUNCTION accounts_keep_number;
DROP FUNCTION accounts_allocate;
DROP FUNCTION accounts_lowest_free;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0004_identity_registration_and_claims'),
    ]

    operations = [
        migrations.CreateModel(
            name='PosixId',
            fields=[
                ('number', models.PositiveIntegerField(primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('user', 'person'), ('group', 'group')], max_length=5)),
            ],
            options={
                'verbose_name': 'POSIX number',
            },
        ),
        migrations.AlterField(
            model_name='group',
            name='gid',
            field=accounts.models.numbers.AllocatedNumber(db_default=lsp_portal.lib.database.NextValue('accounts_gid'), editable=False, kind='group', unique=True, verbose_name='GID'),
        ),
        migrations.AlterField(
            model_name='user',
            name='uid',
            field=accounts.models.numbers.AllocatedNumber(db_default=lsp_portal.lib.database.NextValue('accounts_uid'), editable=False, kind='user', unique=True, verbose_name='UID'),
        ),
        migrations.RunSQL(FORWARDS, BACKWARDS),
    ]
