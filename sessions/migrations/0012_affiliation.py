from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0008_group_tree'),
        ('hub_sessions', '0011_stops_and_sub_names'),
    ]

    operations = [
        migrations.AddField(
            model_name='session',
            name='affiliation',
            field=models.JSONField(help_text="What was known of the person's institution when it began.", null=True),
        ),
    ]
