from django.apps import AppConfig


class AccountingConfig(AppConfig):
    name = "accounting"
    verbose_name = "Exports"

    def ready(self) -> None:
        from accounting.audit_trail import watch_exports

        watch_exports()
