"""The ladder on the demo's platform, its clock advanced: from a launch to the hub's last word."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import orjson
import pytest

from accounting.audit.run import audit
from accounting.demo.platform import load
from accounts.models import Group
from quotas.awards import set_compute_quota
from quotas.ladder import Step
from sessions import launch, usage
from sessions.enforcement import enforce_quotas
from sessions.grants import Ask
from sessions.hub import ingest
from sessions.hub.parse import read_batch
from sessions.hub.secrets import issue_secret
from sessions.models import Hub, LadderStep, Session
from tests.sessions.stub_hub import StubHub
from tests.sessions.test_enforcement import MINUTE, send
from tests.smtp import MailServer

NOW = datetime(2026, 5, 1, 8, tzinfo=UTC)
KEY = UUID(int=7)


@pytest.fixture
def hub(db: None, stub: StubHub) -> Hub:
    load(at=NOW)
    hub = Hub.objects.get(name="demo")
    hub.api_url = stub.url
    hub.save(update_fields=["api_url"])
    issue_secret(hub, NOW - MINUTE)
    return hub


def tell(hub: Hub, number: int, kind: str, at: datetime, **data: str) -> None:
    """The hub's event about Bob's session, as its plugin sends it."""
    event = {
        "id": f"evt_{number:032x}", "epoch": "0" * 32, "seq": number, "type": f"session.{kind}",
        "time": at.isoformat(), "user": "bob", "server": "", "session": str(KEY), "data": data,
    }  # fmt: skip
    outcome = ingest.take_in(hub, read_batch(orjson.dumps({"events": [event]}), at=at), at=at)
    assert outcome.accepted == 1


def test_from_a_launch_over_80_percent_to_the_stop_everybody_is_told_once(
    hub: Hub, stub: StubHub, mail_server: MailServer
) -> None:
    transients = Group.objects.get(name="transients")
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
    used = usage.used(group=transients, start=start, end=end, at=NOW).core_hours
    limit = (used / Decimal("0.79")).quantize(Decimal(1))
    set_compute_quota(transients, limit, mode="hard", at=NOW)
    launch.grant(hub, Ask(KEY, "bob", "", "bob", "transients", "base", "large"), at=NOW)
    tell(hub, 1, "ready", NOW)

    at = NOW
    while not stub.asked:
        at += timedelta(hours=1) if not LadderStep.objects.filter(step=Step.WRAP_UP) else MINUTE
        assert at < end
        enforce_quotas(at=at)
        send(at)
    assert [(path, reason) for path, _, _, reason in stub.asked] == [
        ("/hub/api/users/bob/server", "quota")
    ]
    tell(hub, 2, "stopped", at + MINUTE, reason="quota")
    enforce_quotas(at=at + 2 * MINUTE)
    send(at + 2 * MINUTE)

    session = Session.objects.get(key=KEY)
    assert (session.end_reason, session.ended_at) == ("quota", at + MINUTE)
    mails = [
        (mail["To"], mail["Subject"].strip().partition(" · ")[0]) for mail in mail_server.mails
    ]
    assert set(Counter(mails).values()) == {1}
    assert [subject for to, subject in mails if to == "alice@example.org"] == [
        "80 % of the compute quota of Transients is used",
        "95 % of the compute quota of Transients is used",
        "The compute quota of Transients is used up",
        "Running sessions of Transients are stopped",
    ]
    to_bob = [subject for to, subject in mails if to == "bob@example.org"]
    assert [subject.split(" be ")[0] for subject in to_bob] == [
        "Your session at Demo hub will", "Your session at Demo hub was stopped",
    ]  # fmt: skip
    audit(at=at + 2 * MINUTE)
