from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = "People and groups"

    def ready(self) -> None:
        from accounts.api import schema  # noqa: F401  # describes itself to drf-spectacular
        from accounts.audit import watch_people_and_groups

        watch_people_and_groups()
