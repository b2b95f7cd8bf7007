"""Give a group core-hours in the current allocation period."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import Group
from lsp_portal.lib import clock
from quotas.awards import BadAmount, NoCurrentPeriod, read_core_hours, set_compute_quota
from quotas.models import ComputeQuota


class Command(BaseCommand):
    help = "Give a group core-hours in the current allocation period, or change what it has."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("group", help="name of the group")
        parser.add_argument("core_hours", help="such as 1000 or 0.5")
        parser.add_argument(
            "--mode",
            choices=ComputeQuota.Mode.values,
            help="what happens at the limit; a new quota is nominal unless told",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            group = Group.objects.get(name=options["group"])
            hours = read_core_hours(options["core_hours"])
            quota, new = set_compute_quota(group, hours, mode=options["mode"], at=clock.now())
        except Group.DoesNotExist as error:
            raise CommandError(f"There is no group “{options['group']}”.") from error
        except BadAmount as error:
            raise CommandError(str(error)) from error
        except NoCurrentPeriod as error:
            raise CommandError(f"{error} Add one in the admin under “Quotas”.") from error
        self.stdout.write(_report(quota, new))


def _report(quota: ComputeQuota, new: bool) -> str:
    verb = "Set" if new else "Changed"
    period = quota.period
    return (
        f"{verb} the compute quota of {quota.group.name} in {period.title} "
        f"({period.starts_on} until before {period.ends_on}) "
        f"to {quota.core_hours:f} core-hours, {quota.mode}.{_with_grants(quota)}"
    )


def _with_grants(quota: ComputeQuota) -> str:
    limit = ComputeQuota.objects.with_limit(at=clock.now()).get(pk=quota.pk).limit
    return "" if limit == quota.core_hours else f" With its grants that makes {limit:f} now."
