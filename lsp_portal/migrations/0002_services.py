"""The cards that a science platform usually has; an administrator connects or removes them."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

SERVICES = [
    ("Notebooks", "JupyterLab next to the data, in the size you choose.", "journal-code", "/my/"),
    ("Firefly portal", "Look at images and catalogues in your browser.", "stars", ""),
    ("TAP", "Query the catalogues in ADQL, from a notebook or from home.", "database", ""),
    ("Documentation", "How the platform works, and its API.", "book", "/api/docs/"),
]


def fill(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    service = apps.get_model("lsp_portal", "Service")
    for position, (title, text, icon, url) in enumerate(SERVICES, start=1):
        service.objects.create(position=position, title=title, text=text, icon=icon, url=url)


class Migration(migrations.Migration):
    dependencies = [("lsp_portal", "0001_initial")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
