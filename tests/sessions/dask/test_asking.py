"""Who may have a Dask cluster, how large, and what it holds ahead."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from quotas.models import Caps
from sessions import launch
from sessions.dask import asking
from sessions.dask.refusals import DaskRefused
from sessions.dask.sizes import BadSizeError, DaskSize
from sessions.models import Charge, DaskCluster, Hub, Server, Session
from sessions.refusals import LaunchRefused
from sessions.session_tokens import session_token
from tests.sessions.launch.platform import NOW, Platform, make_platform, session_key

pytestmark = pytest.mark.django_db

SIX = DaskSize(6)


@pytest.fixture
def platform(settings: Settings) -> Platform:
    settings.KUBERNETES_DASK = True
    return make_platform()


def bobs_session(platform: Platform, number: int = 1) -> Session:
    """Bob's server, Small, which the portal runs."""
    Hub.objects.update(mode="drive")
    platform.hub.refresh_from_db()
    launch.grant(platform.hub, platform.ask(number, server=str(number)), at=NOW)
    session = Session.objects.get(key=session_key(number))
    Server.objects.create(
        session=session, state="ready", digest=b"", command=[], port=8888, sealed=b"",
        namespace="lsp", name="lsp-bob", address="http://10.0.0.1:8888", asked_at=NOW,
        deadline_at=NOW + timedelta(minutes=10), ready_at=NOW, changed_at=NOW,
    )  # fmt: skip
    return session


@pytest.fixture
def session(platform: Platform) -> Session:
    return bobs_session(platform)


def refusal(session: Session, size: DaskSize | None = None) -> DaskRefused | LaunchRefused:
    try:
        asking.want(session, size, at=NOW)
    except (DaskRefused, LaunchRefused) as refused:
        return refused
    raise AssertionError("it was not refused")


def test_it_begins_with_two_workers_and_asked_again_it_is_the_same(session: Session) -> None:
    made, is_new = asking.want(session, None, at=NOW)
    assert (made.workers, made.cpu_millicores, made.memory_mib, is_new) == (2, 1000, 8192, True)
    again, is_new = asking.want(session, None, at=NOW)
    assert (again.pk, again.wish, is_new) == (made.pk, 1, False)
    larger, is_new = asking.want(session, DaskSize(3), at=NOW)
    assert (larger.pk, larger.workers, larger.wish, is_new) == (made.pk, 3, 2, False)


def test_what_it_may_grow_to_is_held_like_a_launch(platform: Platform, session: Session) -> None:
    platform.quota("8")  # the notebook holds one core-hour
    assert asking.want(session, DaskSize(1, 1, 7), at=NOW)[1]
    assert Session.objects.all().hold() == 8 * 3_600_000
    assert Session.objects.all().hold_by_group() == {platform.transients.pk: 8 * 3_600_000}
    with pytest.raises(LaunchRefused) as refused:
        launch.grant(platform.hub, platform.ask(2, server="other"), at=NOW)
    assert (refused.value.code, refused.value.facts["held"]) == ("quota_exhausted", "8.000000")


def test_growing_is_refused_where_the_quota_is_too_small_and_shrinking_never(
    platform: Platform, session: Session
) -> None:
    platform.quota("8")
    asking.want(session, SIX, at=NOW)
    refused = refusal(session, DaskSize(8))
    assert (refused.code, refused.status, refused.facts["fits"]) == ("quota_exhausted", 403, 7)
    platform.quota("1")
    assert asking.want(session, DaskSize(5), at=NOW)[0].workers == 5
    platform.quota("1", mode="nominal")
    assert asking.want(session, DaskSize(9), at=NOW)[0].workers == 9, "nominal quotas only count"


@pytest.mark.parametrize(
    ("limits", "caps", "words"),
    [
        ({"DASK_MAX_WORKERS": 5}, {}, "A Dask cluster may have 5 workers at once"),
        (
            {"DASK_MAX_WORKERS_PER_USER": 9},
            {},
            "Your Dask clusters may have 9 workers",
        ),
        ({}, {"workers": 7}, "“Transients” may have 7 workers at once, and 4 are taken"),
    ],
)
def test_clusters_people_and_groups_have_limits(
    platform: Platform, settings: Settings, limits: dict[str, int], caps: dict[str, int], words: str
) -> None:
    for name, value in limits.items():
        setattr(settings, name, value)
    if caps:
        Caps.objects.create(group=platform.transients, **caps)
    asking.want(bobs_session(platform, 1), DaskSize(4), at=NOW)
    refused = refusal(bobs_session(platform, 2), SIX)
    assert refused.code == "too_many_workers"
    assert words in refused.detail


def test_the_core_hours_of_a_member_count_workers(platform: Platform, session: Session) -> None:
    Caps.objects.create(group=platform.transients, member_core_hours="4")
    assert asking.want(session, DaskSize(3), at=NOW)[1]
    refused = refusal(session, DaskSize(4))
    assert (refused.code, refused.facts["limit"]) == ("quota_exhausted", "4.000000")
    with pytest.raises(LaunchRefused, match="each member"):
        launch.grant(platform.hub, platform.ask(2, server="other"), at=NOW)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda s: setattr_of(Server, state="starting"), "not_running"),
        (lambda s: setattr_of(Server, state="stopping", desired="stopped"), "not_running"),
        (lambda s: setattr_of(Hub, mode="observe"), "not_offered"),
        (lambda s: setattr_of(Hub, maintenance="Tuesday"), "maintenance"),
        (lambda s: s.user.memberships.all().delete(), "not_a_member"),
    ],
)
def test_where_there_can_be_none(session: Session, change: Any, code: str) -> None:
    change(session)
    assert refusal(Session.objects.get()).code == code


def setattr_of(model: Any, **values: Any) -> None:
    model.objects.update(**values)


def test_no_second_one_while_the_first_is_being_deleted(session: Session) -> None:
    asking.want(session, None, at=NOW)
    assert asking.end(session, at=NOW).state == "deleting"
    assert refusal(session, SIX).code == "deleting"
    assert Session.objects.all().hold() == 3_600_000, "nothing is held for it any more"
    DaskCluster.objects.update(state="gone", cleaned_at=NOW)
    assert asking.want(session, SIX, at=NOW)[1]
    with pytest.raises(DaskRefused, match="no Dask cluster"):
        asking.end(bobs_session_without(session), at=NOW)


def bobs_session_without(session: Session) -> Session:
    DaskCluster.objects.update(state="gone", desired="gone", cleaned_at=NOW)
    return session


@pytest.mark.parametrize(
    "content",
    [{"minimum": 1}, {"maximum": 3}, {"workers": 1, "maximum": 2}, {"minimum": 4, "maximum": 3}],
)
def test_sizes_that_make_no_sense(content: dict[str, int]) -> None:
    with pytest.raises(BadSizeError):
        DaskSize.read(content)


class TestApi:
    @pytest.fixture(autouse=True)
    def a_clock(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("lsp_portal.lib.clock.now", lambda: NOW)

    def send(
        self, session: Session, method: str, token: str | None = None, **body: Any
    ) -> tuple[int, dict[str, Any]]:
        token = token or session_token(session.hub.name, session.key)
        answer = getattr(Client(), method)(
            f"/api/v1/sessions/{session.key}/dask-cluster",
            body,
            content_type="application/json",
            headers={"authorization": f"Bearer {token}"},
        )
        return answer.status_code, answer.json()

    def test_from_the_notebook_by_the_token_of_its_session(self, session: Session) -> None:
        assert self.send(session, "get")[0] == 404
        status, made = self.send(session, "put", workers=3)
        assert (status, made["state"], made["workers"]) == (201, "asked", 3)
        assert made["session"] == str(session.key)
        status, range_ = self.send(session, "put", minimum=1, maximum=4)
        assert (status, range_["workers"], range_["maximum"]) == (200, None, 4)
        DaskCluster.objects.update(name="lsp-dask-1")
        _, known = self.send(session, "get")
        assert known["scheduler_address"] == "tcp://lsp-dask-1-scheduler.lsp.svc:8786"
        assert self.send(session, "delete")[0] == 202
        assert self.send(session, "get")[1]["state"] == "deleting"

    def test_the_token_opens_its_own_session_only(
        self, platform: Platform, session: Session
    ) -> None:
        other = bobs_session(platform, 2)
        token = session_token(session.hub.name, session.key)
        assert self.send(other, "put", token)[0] == 404
        headers = {"authorization": f"Bearer {token}"}
        for address in ("/api/v1/me", "/api/v1/groups", "/api/v1/usage"):
            assert Client().get(address, headers=headers).status_code == 401

    @pytest.mark.parametrize("token", ["lsp_", "lsp_zz_1", f"lsp_{'0' * 32}_{'0' * 64}"])
    def test_what_is_no_token_opens_nothing(self, session: Session, token: str) -> None:
        assert self.send(session, "get", token)[0] == 401
        forged = session_token("another-hub", session.key)
        assert self.send(session, "get", forged)[0] == 401

    def test_the_token_ends_with_the_session_and_with_the_account(self, session: Session) -> None:
        assert self.send(session, "put")[0] == 201
        assert session.user is not None
        session.user.is_active = False
        session.user.save(update_fields=["is_active"])
        assert self.send(session, "get")[0] in (401, 403)
        session.user.is_active = True
        session.user.save(update_fields=["is_active"])
        Session.objects.update(ready_at=NOW, ended_at=NOW, end_source="stop")
        status, problem = self.send(session, "get")
        assert (status, "ended" in problem["detail"]) == (401, True)

    def test_a_person_reaches_it_and_nobody_else(
        self, platform: Platform, session: Session
    ) -> None:
        client, address = Client(), f"/api/v1/sessions/{session.key}/dask-cluster"
        client.force_login(platform.bob)
        assert client.put(address, {}, content_type="application/json").status_code == 201
        client.force_login(platform.alice)
        assert client.get(address).status_code == 404
        assert client.delete(address).status_code == 404

    @pytest.mark.parametrize(
        ("body", "status", "code"),
        [
            ({"workers": -1}, 400, None),
            ({"worker": 1}, 400, None),
            ({"minimum": 1}, 400, "bad_value"),
            ({"workers": 1000}, 403, "too_many_workers"),
        ],
    )
    def test_refusals_are_problems(
        self, session: Session, body: dict[str, Any], status: int, code: str | None
    ) -> None:
        found, problem = self.send(session, "put", **body)
        assert found == status
        assert code is None or problem["code"] == code
        assert not DaskCluster.objects.exists()
        assert not Charge.objects.filter(origin="dask").exists()
