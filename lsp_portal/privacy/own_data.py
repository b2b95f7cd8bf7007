"""Everything that is kept about a person, as a zip that is made while it is sent."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.apps import apps
from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import BinaryField, F, Model, Q, QuerySet

from accounts.models import User

AGAIN_AFTER = timedelta(minutes=10)
CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Part:
    """A file with the rows of a model that name the person in one of these fields."""

    name: str
    model: str
    fields: tuple[str, ...]
    words: str
    left_out: tuple[str, ...] = ()
    as_csv: bool = False

    def rows(self, user: User) -> QuerySet[Model, dict[str, object]]:
        """As dictionaries; of groups and hubs the name stands beside the number."""
        model = apps.get_model(self.model)
        mine = Q()
        for field in self.fields:
            mine |= Q(**{field: user.pk})
        named = {
            f"{field.name}_name": F(f"{field.name}__name")
            for field in model._meta.concrete_fields
            if field.is_relation and field.name in ("group", "hub", "default_group")
        }
        names = [
            field.attname
            for field in model._meta.concrete_fields
            if field.name not in self.left_out and not isinstance(field, BinaryField)
        ]
        rows = model._default_manager.filter(mine).order_by("pk")
        found: QuerySet[Model, dict[str, object]] = rows.values(
            *names, **{k: v for k, v in named.items() if k not in names}
        )
        return found


SECRETS = ("password",)
PARTS = (
    Part("profile", "accounts.User", ("pk",), "your account", SECRETS),
    Part("accounts", "accounts.User", ("owner", "merged_into"),
         "accounts that you answer for, or that were merged into yours", SECRETS),
    Part("identities", "accounts.Identity", ("user",),
         "where you sign in from, and what was said about you there"),
    Part("affiliations", "accounts.Affiliation", ("user",), "institutions, with the evidence"),
    Part("memberships", "accounts.Membership", ("user",), "your roles in groups, with their dates"),
    Part("registration", "accounts.Registration", ("user",), "decisions about your registration"),
    Part("policies", "accounts.PolicyAcceptance", ("user",), "policies that you accepted"),
    Part("invitations", "accounts.Invitation", ("accepted_by", "account"),
         "invitations that you accepted"),
    Part("sign-ins", "accounts.SignIn", ("user",), "every attempt to sign in"),
    Part("notices", "accounts.Notice", ("recipient",), "what you were told"),
    Part("digests", "accounts.Digest", ("recipient",), "your daily mails"),
    Part("notice-ways", "accounts.NoticeWay", ("user",), "how you want to be told of what"),
    Part("notice-hours", "accounts.NoticeHours", ("user",), "when mails may reach you"),
    Part("tokens", "accounts.ApiToken", ("user",), "your API tokens, without the tokens"),
    Part("changes", "accounts.Change", ("actor",), "what you changed"),
    Part("administration", "admin.LogEntry", ("user",), "what you did in the administration"),
    Part("hub-names", "hub_sessions.HubUserName", ("user",), "what hubs call you"),
    Part("cluster-home", "hub_sessions.Home", ("user",), "where your home is in the cluster"),
    Part("sessions", "hub_sessions.Session", ("user",), "your sessions", as_csv=True),
    Part("charges", "hub_sessions.Charge", ("user",),
         "what your sessions took, and which group paid", as_csv=True),
    Part("storage", "hub_sessions.StorageSample", ("user",), "how large your home was"),
    Part("home-quotas", "quotas.HomeQuota", ("user",), "exceptions from the quota of homes"),
    Part("quota-requests", "quotas.QuotaRequest", ("asked_by",), "what you asked for your groups"),
    Part("group-requests", "hub_sessions.Reattribution", ("asked_by",),
         "sessions for which you asked that another group pays"),
    Part("statements-by-mail", "accounting.ReportRecipient", ("user",),
         "statements of groups that you get by mail"),
    Part("statements", "accounting.StatementLine", ("user",), "what was stated of your use"),
)  # fmt: skip

_ACTS = "what somebody did for others; the changes tell what you did"
_SUMS = "sums of the charges, made anew at any time"
_TOKENS = "a secret of a sign-in at a hub, which expires; it says nothing else"
NOT_EXPORTED = {
    "accounts.User_groups.user": "never used: groups are those of memberships",
    "accounts.User_user_permissions.user": "a right in the administration, not about the person",
    "accounts.Membership.added_by": _ACTS,
    "accounts.HeldSync.decided_by": _ACTS,
    "accounts.Registration.decided_by": _ACTS,
    "accounts.Registration.sponsor": _ACTS,
    "accounts.Invitation.invited_by": _ACTS,
    "accounts.ApiToken.created_by": _ACTS,
    "quotas.Grant.author": _ACTS,
    "quotas.HomeQuota.author": _ACTS,
    "quotas.QuotaRequest.decided_by": _ACTS,
    "quotas.QuotaRequest.closed_by": _ACTS,
    "hub_sessions.Adjustment.author": _ACTS,
    "hub_sessions.LadderStep.granted_by": _ACTS,
    "hub_sessions.NodeDrain.asked_by": _ACTS,
    "hub_sessions.Reattribution.decided_by": _ACTS,
    "accounting.Statement.author": _ACTS,
    "accounting.ReportLink.created_by": _ACTS,
    "accounting.ReportSchedule.created_by": _ACTS,
    "accounting.UserDay.user": _SUMS,
    "accounting.UserMonth.user": _SUMS,
    "accounting.MemberMonth.user": _SUMS,
    "hub_sessions.ImageSource.owner": "who answers for images of the installation",
    "oauth2_provider.Application.user": "a program of the installation",
    "oauth2_provider.Grant.user": _TOKENS,
    "oauth2_provider.AccessToken.user": _TOKENS,
    "oauth2_provider.RefreshToken.user": _TOKENS,
    "oauth2_provider.IDToken.user": _TOKENS,
    "oauth2_provider.DeviceGrant.user": _TOKENS,
}


def claim(user: User, *, at: datetime) -> bool:
    """Whether the person may have the data now; one request in ten minutes, whoever answers it."""
    long_ago = Q(data_sent_at=None) | Q(data_sent_at__lte=at - AGAIN_AFTER)
    return bool(User.objects.filter(long_ago, pk=user.pk).update(data_sent_at=at))


def archive(user: User, *, at: datetime) -> Iterator[bytes]:
    """The zip in pieces; holds some rows and one piece at a time, however much there is."""
    out = _Outbox()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("README.txt", _readme(user, at))
        for part in PARTS:
            yield from _written(zipped, out, f"{part.name}.json", _json(part, user))
            if part.as_csv:
                yield from _written(zipped, out, f"{part.name}.csv", _csv(part, user))
    yield out.take()


def _written(
    zipped: zipfile.ZipFile, out: _Outbox, name: str, texts: Iterator[str]
) -> Iterator[bytes]:
    with zipped.open(name, "w", force_zip64=True) as file:
        for text in texts:
            file.write(text.encode())
            if out.size > CHUNK:
                yield out.take()


def _json(part: Part, user: User) -> Iterator[str]:
    before = "[\n"
    for row in part.rows(user).iterator(chunk_size=500):
        yield before + json.dumps(row, cls=DjangoJSONEncoder, ensure_ascii=False)
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def _csv(part: Part, user: User) -> Iterator[str]:
    line = io.StringIO()
    writer: csv.DictWriter[str] | None = None
    for row in part.rows(user).iterator(chunk_size=500):
        if writer is None:
            writer = csv.DictWriter(line, list(row))
            writer.writeheader()
        writer.writerow({name: _cell(value) for name, value in row.items()})
        yield line.getvalue()
        line.seek(0)
        line.truncate()


def _cell(value: object) -> object:
    """As files have it; a text that a spreadsheet would run gets a quote before it."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict | list):
        return json.dumps(value, cls=DjangoJSONEncoder)
    is_formula = isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{value}" if is_formula else value


def _readme(user: User, at: datetime) -> str:
    files = "\n".join(f"{part.name}.json: {part.words}" for part in PARTS)
    return (
        f"What {settings.SITE_NAME} keeps about {user.username}, as of {at:%Y-%m-%d %H:%M} UTC.\n"
        "Times are UTC, CPU is in millicores, memory in MiB, storage in bytes.\n"
        "Each file is a list of rows; sessions and charges are there as CSV, too.\n"
        "Tokens and passwords are not in here: the site keeps only what proves them.\n"
        "What hubs reported literally is on the page of each session.\n\n"
        f"{files}\n"
    )


class _Outbox(io.RawIOBase):
    """What was written and not yet sent; nobody can go back in it."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, piece: object) -> int:
        taken = bytes(piece)  # type: ignore[call-overload]  # anything with a buffer
        self._pieces.append(taken)
        self.size += len(taken)
        return len(taken)

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        self.size = 0
        return taken
