from celery import shared_task

from lsp_portal import services


@shared_task
def check_services() -> None:
    services.check_all()
