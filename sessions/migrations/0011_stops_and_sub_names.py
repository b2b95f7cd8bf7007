from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('hub_sessions', '0010_attributed_later'),
    ]

    operations = [
        migrations.AddField(
            model_name='session',
            name='stop_note',
            field=models.TextField(blank=True, db_default='', help_text='Why the portal asked it to stop.'),
        ),
        migrations.AddField(
            model_name='session',
            name='sub_name',
            field=models.CharField(blank=True, db_default='', help_text='Who it was of those who share the account.', max_length=64),
        ),
        migrations.AlterField(
            model_name='alert',
            name='kind',
            field=models.CharField(choices=[('sequence_reused', 'two events with one sequence number'), ('empty_snapshot', 'an empty snapshot while sessions run'), ('conflict', 'one event id with two contents'), ('many_removals', 'many sessions of removed members at once')], max_length=30),
        ),
    ]
