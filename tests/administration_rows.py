"""Rows for the administration: one function for each model that has pages there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.contrib.admin.models import CHANGE, LogEntry
from django.db.models import Model
from oauth2_provider.models import get_application_model

from accounting.models import (
    ApelGroup,
    ApelRun,
    ExportMark,
    ExportRun,
    Statement,
    Webhook,
    WebhookMessage,
)
from accounts.models import (
    ApiToken,
    Change,
    ClaimRule,
    Digest,
    Group,
    HeldSync,
    Identity,
    Invitation,
    Membership,
    Name,
    Notice,
    Policy,
    PolicyAcceptance,
    Registration,
    SignIn,
    User,
)
from lsp_portal.models import Service
from quotas.models import (
    AllocationPeriod,
    Award,
    ComputeQuota,
    HomeQuota,
    QuotaRequest,
    StorageQuota,
)
from sessions.models import (
    Adjustment,
    Alert,
    Charge,
    ClusterNode,
    ClusterWatch,
    Home,
    Hub,
    HubEvent,
    HubReading,
    HubSecret,
    HubUserName,
    Image,
    ImageSource,
    LadderStep,
    NodeDrain,
    NodeImage,
    QuarantinedEvent,
    QuotaLadder,
    Reattribution,
    Repair,
    Server,
    ServerStep,
    Session,
    Size,
    SizeRoom,
    Snapshot,
    StorageSample,
)
from tests import factories
from tests.factories import LONG_AGO

Application: type[Model] = get_application_model()


def plain_hub(number: int) -> Hub:
    return Hub.objects.create(name=f"hub-{number}", title=f"Hub {number}")


def _rule(number: int) -> ClaimRule:
    return ClaimRule.objects.create(kind="group", value=f"/lsst/{number}", group=factories.group())


def _policy(number: int) -> Policy:
    return Policy.objects.create(
        version=str(number), text="Be kind.", effective_at=LONG_AGO + timedelta(days=number)
    )


def period_of(number: int) -> AllocationPeriod:
    return factories.period(date(1900 + number, 1, 1), date(1901 + number, 1, 1))


def _session(number: int) -> Session:
    return factories.session(
        plain_hub(number), factories.user(), factories.group(), key=UUID(int=number)
    )


def _event(number: int) -> HubEvent:
    return HubEvent.objects.create(
        hub=plain_hub(number),
        event_id=f"evt_{number:032x}",
        epoch=f"{1:032x}",
        seq=number,
        type="session.ready",
        time=LONG_AGO,
        user_name="alice",
        server="",
        session=UUID(int=number),
        data={},
        raw=b'{"type":"session.ready"}',
        digest=number.to_bytes(32, "big"),
    )


def _quarantined(number: int) -> QuarantinedEvent:
    return QuarantinedEvent.objects.create(
        hub=plain_hub(number),
        digest=number.to_bytes(32, "big"),
        code="bad_time",
        detail="No such time.",
        raw=b'{"time": "\xff"',
    )


def _webhook(number: int) -> Webhook:
    return Webhook.objects.create(title=f"Webhook {number}", url="https://example.org/told")


def _run(number: int) -> ExportRun:
    return ExportRun.objects.create(
        hub=plain_hub(number), until=LONG_AGO, directory="/exports", jobs=1
    )


def _mark(number: int) -> ExportMark:
    session = _session(number)
    run = ExportRun.objects.create(hub=session.hub, until=LONG_AGO, directory="/exports")
    return ExportMark.objects.create(
        session=session,
        run=run,
        job_id=1,
        user_name="alice",
        uid=20001,
        group_name="transients",
        gid=30001,
        submitted_at=LONG_AGO,
        started_at=LONG_AGO,
        ended_at=LONG_AGO,
        cpu_millicores=500,
        cpus=1,
        memory_mib=1024,
        gpus=0,
        exit_code=0,
        job_state="COMPLETED",
        size="small",
        node="node-1",
        image="base",
    )


def _application(number: int) -> Model:
    return Application._default_manager.create(
        name=f"hub {number}",
        client_type="confidential",
        authorization_grant_type="authorization-code",
        redirect_uris="https://hub.example.org/callback",
    )


def _log_entry(number: int) -> LogEntry:
    by = factories.user()
    return LogEntry.objects.log_actions(by.pk, [factories.group()], CHANGE, "Closed.")


def _server(number: int) -> Server:
    return Server.objects.create(
        session=_session(number),
        digest=b"",
        command=["jupyterhub-singleuser"],
        port=8888,
        sealed=b"",
        name=f"lsp-alice-{number}",
        asked_at=LONG_AGO,
        deadline_at=LONG_AGO + timedelta(minutes=10),
        changed_at=LONG_AGO,
    )


def _hub(number: int) -> Hub:
    hub = Hub.objects.create(name=f"hub-{number}", default_image=Image.objects.first())
    HubSecret.objects.create(hub=hub, nonce=f"nonce-{number}")
    return hub


def _adjustment(n: int) -> Adjustment:
    """One of a session of its own."""
    made = _session(n)
    return Adjustment.objects.create(
        session=made,
        taken_back=factories.charge(made, sign=-1, origin="adjustment"),
        booked=factories.charge(made, origin="adjustment"),
        from_evidence=True,
        author=factories.user(),
        reason=f"mail {n}",
        made_at=LONG_AGO,
    )


def _statement(n: int) -> Statement:
    period = period_of(n)
    return Statement.objects.create(
        number=n,
        period=period,
        title=period.title,
        starts_on=period.starts_on,
        ends_on=period.ends_on,
        closed_at=LONG_AGO,
        hash=f"{n:064}",
    )


MAKE: dict[type[Model], Callable[[int], Any]] = {
    User: lambda n: factories.membership(factories.user(), factories.group()),
    Group: lambda n: factories.membership(factories.user(), factories.group(), "pi"),
    Membership: lambda n: factories.membership(factories.user(), factories.group()),
    Identity: lambda n: Identity.objects.create(
        user=factories.user(), issuer="https://idp.example.org", subject=str(n), claims={"n": n}
    ),
    SignIn: lambda n: SignIn.objects.create(
        provider="oidc", outcome="ok", user=factories.user(), detail=str(n)
    ),
    ApiToken: lambda n: ApiToken.objects.create(
        name=f"token {n}", user=factories.user(), scopes=["read"], digest=n.to_bytes(32), hint="x"
    ),
    Change: lambda n: factories.group(),
    Registration: lambda n: Registration.objects.create(
        user=factories.user(), decision="approved", reason="known", evidence={"n": n}
    ),
    Invitation: lambda n: Invitation.objects.create(
        email="erin@example.org",
        group=factories.group(),
        secret_hash=n.to_bytes(32),
        invited_by=factories.user(),
        expires_at=LONG_AGO,
    ),
    ClaimRule: _rule,
    HeldSync: lambda n: HeldSync.objects.create(group=factories.group()),
    Policy: _policy,
    PolicyAcceptance: lambda n: PolicyAcceptance.objects.create(
        user=factories.user(), policy=_policy(n)
    ),
    Name: lambda n: factories.user(),
    Notice: lambda n: Notice.objects.create(
        recipient=factories.user(), topic="quota", key=f"quota:{n}", subject="80 %", text="Used."
    ),
    Digest: lambda n: Digest.objects.create(recipient=factories.user(), day=LONG_AGO.date()),
    AllocationPeriod: period_of,
    ComputeQuota: lambda n: factories.quota(factories.group(), period_of(n), "5"),
    Award: lambda n: Award.objects.create(period=period_of(n), source="IRIS", core_hours=1),
    StorageQuota: lambda n: StorageQuota.objects.create(
        group=factories.group(), period=period_of(n), limit_bytes=n
    ),
    HomeQuota: lambda n: HomeQuota.objects.create(
        user=factories.user(), author=factories.user(), limit_bytes=n, reason="A survey."
    ),
    ApelGroup: lambda n: ApelGroup.objects.create(group=factories.group(), fqan=f"/vo/group-{n}"),
    Webhook: lambda n: _webhook(n),
    WebhookMessage: lambda n: WebhookMessage.objects.create(
        webhook=_webhook(n),
        kind="usage.day",
        key=f"group/{n}",
        content={},
        created_at=LONG_AGO,
        due_at=LONG_AGO,
    ),
    ApelRun: lambda n: ApelRun.objects.create(
        hub=plain_hub(n), started_at=LONG_AGO, until=LONG_AGO, site={}, directory="/exports"
    ),
    QuotaRequest: lambda n: QuotaRequest.objects.create(
        group=factories.group(),
        period=period_of(n),
        kind="hours",
        amount=Decimal(n),
        reason="A survey.",
        facts={},
        asked_by=factories.user(),
        asked_at=LONG_AGO,
    ),
    QuotaLadder: lambda n: QuotaLadder.objects.create(
        quota=factories.quota(factories.group(), period_of(n), "5"), limit=n, step=80
    ),
    LadderStep: lambda n: LadderStep.objects.create(
        quota=factories.quota(factories.group(), period_of(n), "5"),
        generation=1,
        step=80,
        reached_at=LONG_AGO,
        used=n,
        limit=n,
    ),
    Home: lambda n: Home.objects.create(
        user=factories.user(), namespace="lsp", claim=f"home-{n}", size_bytes=n + 1
    ),
    Hub: _hub,
    HubUserName: lambda n: HubUserName.objects.create(
        hub=plain_hub(n), name=f"name-{n}", user=factories.user()
    ),
    Server: _server,
    ServerStep: lambda n: ServerStep.objects.create(
        server=_server(n), seq=2, key="asked", at=LONG_AGO, code="asked", message="Asked for."
    ),
    ClusterWatch: lambda n: ClusterWatch.objects.create(source=f"Pod in lsp-{n}"),
    ClusterNode: lambda n: factories.node(f"node-{n}"),
    NodeDrain: lambda n: NodeDrain.objects.create(node=f"node-{n}", started_at=LONG_AGO),
    SizeRoom: lambda n: SizeRoom.objects.create(
        size=Size.objects.create(
            name=f"size-{n}", title=f"Size {n}", cpu_millicores=n, memory_mib=n
        ),
        free=n,
        seen_at=LONG_AGO,
    ),
    NodeImage: lambda n: NodeImage.objects.create(
        reference=f"images.example.org/lab-{n}", node="node-1", state="present", since=LONG_AGO
    ),
    ImageSource: lambda n: ImageSource.objects.create(
        name=f"source-{n}", title=f"Source {n}", repository=f"images.example.org/lab-{n}"
    ),
    Image: lambda n: Image.objects.create(name=f"image-{n}", title=f"Image {n}"),
    Size: lambda n: Size.objects.create(
        name=f"size-{n}", title=f"Size {n}", cpu_millicores=n, memory_mib=n
    ),
    HubEvent: _event,
    QuarantinedEvent: _quarantined,
    Snapshot: lambda n: Snapshot.objects.create(
        hub=plain_hub(n), name=f"s{n}", key=UUID(int=n), time=LONG_AGO, parts=1
    ),
    Alert: lambda n: Alert.objects.create(
        hub=plain_hub(n), kind=Alert.Kind.CONFLICT, subject=f"evt_{n}"
    ),
    HubReading: lambda n: HubReading.objects.create(
        hub=plain_hub(n), time=LONG_AGO, listed=n, running=n, missing=0, is_taken=True
    ),
    Repair: lambda n: Repair.objects.create(
        hub=plain_hub(n),
        kind="unrecorded",
        user_name="bob",
        moment=LONG_AGO,
        said="There.",
        changed="Nothing.",
        confidence="high",
        found_at=LONG_AGO,
    ),
    StorageSample: lambda n: StorageSample.objects.create(
        user=factories.user(), mount="/home", taken_at=LONG_AGO, used_bytes=n
    ),
    Session: _session,
    Charge: lambda n: factories.charge(_session(n)),
    Adjustment: _adjustment,
    ExportRun: _run,
    ExportMark: _mark,
    Reattribution: lambda n: Reattribution.objects.create(
        session=_session(n),
        from_group=factories.group(),
        to_group=factories.group(),
        reason=f"mail {n}",
        asked_by=factories.user(),
        asked_at=LONG_AGO,
        expires_at=LONG_AGO,
    ),
    Statement: _statement,
    Service: lambda n: Service.objects.create(title=f"Service {n}", text="A service."),
    LogEntry: _log_entry,
    Application: _application,
}
