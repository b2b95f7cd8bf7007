from celery import shared_task

from lsp_portal import services
from lsp_portal.lib import clock
from lsp_portal.models import Heartbeat
from lsp_portal.privacy import retention


@shared_task
def check_services() -> None:
    services.check_all()


@shared_task
def beat() -> None:
    """Note that beat and a worker are there."""
    Heartbeat.objects.update_or_create(pk=1, defaults={"at": clock.now()})


@shared_task
def apply_retention() -> int:
    """Let go of what its time is over for; how many rows. 0 while another process does it."""
    try:
        return retention.apply_retention(at=clock.now())
    except retention.RetentionRunsError:
        return 0
