"""The sizes and the image that come with the installation; all can be edited."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

SIZES = [
    ("tiny", "Tiny", 500, 1024),
    ("small", "Small", 1000, 2048),
    ("medium", "Medium", 2000, 4096),
    ("large", "Large", 4000, 8192),
]


def fill(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    size = apps.get_model("hub_sessions", "Size")
    for position, (name, title, cpu_millicores, memory_mib) in enumerate(SIZES, start=1):
        size.objects.create(
            name=name,
            title=title,
            position=position,
            cpu_millicores=cpu_millicores,
            memory_mib=memory_mib,
        )
    apps.get_model("hub_sessions", "Image").objects.create(
        name="base",
        title="Base notebook",
        position=1,
        description="JupyterLab with Python",
    )


class Migration(migrations.Migration):
    dependencies = [("hub_sessions", "0001_initial")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
