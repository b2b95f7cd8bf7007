"""The stories of single sessions: what their events, their seat and snapshots make of them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import orjson

from accounts.models import Group, Membership, User
from sessions.models import Alert, Charge, HubUserName, Session, Snapshot, StaleDay
from tests.sessions.events.sender import START, Sender, key, make_sender


def session(number: int = 1) -> Session:
    return Session.objects.select_related("user", "group").get(key=key(number))


def after(seconds: int) -> datetime:
    return START + timedelta(seconds=seconds)


def test_a_session_from_request_to_end_is_charged_to_the_group_from_ready_to_end(
    sender: Sender,
) -> None:
    sender.take_in([sender.requested(0), sender.ready(20, pod="p", node="n", pod_uid="u")])
    running = session()
    assert (running.state(at=after(30)), running.end_source) == (Session.State.READY, "")
    assert (running.pod, running.node, running.pod_uid) == ("p", "n", "u")
    assert Charge.objects.get().ended_at is None
    assert not StaleDay.objects.exists()

    sender.take_in([sender.stopped(3620, reason="culled", exit_code=0)])
    ended = session()
    assert (ended.requested_at, ended.ready_at, ended.ended_at) == (
        after(0),
        after(20),
        after(3620),
    )
    assert (ended.end_source, ended.end_reason, ended.exit_code) == ("stop", "culled", 0)
    assert (ended.image, ended.size, ended.actor) == ("base", "small", "bob")
    assert (str(ended.user), str(ended.group)) == ("bob", "transients")
    charge = Charge.objects.get()
    assert (charge.user, charge.group) == (ended.user, ended.group)
    assert (charge.started_at, charge.ended_at) == (after(20), after(3620))
    assert (charge.cpu_millicores, charge.memory_mib, charge.sign) == (1000, 2048, 1)
    stale = StaleDay.objects.get()
    assert (stale.day, stale.group) == (date(2026, 5, 1), ended.group)


def test_every_day_that_a_changed_charge_touches_or_touched_is_noted_as_stale(
    sender: Sender,
) -> None:
    day = 24 * 3600
    sender.take_in([sender.requested(0), sender.ready(0), sender.stopped(3 * day)])
    assert sorted(s.day.day for s in StaleDay.objects.all()) == [1, 2, 3, 4]
    StaleDay.objects.all().delete()
    sender.take_in([sender.stopped(day - 8 * 3600)])
    assert Charge.objects.get().ended_at == datetime(2026, 5, 2, tzinfo=UTC)
    assert sorted(s.day.day for s in StaleDay.objects.all()) == [1, 2, 3, 4]


def test_a_spawn_that_never_became_ready_has_failed_and_costs_nothing(sender: Sender) -> None:
    sender.take_in([sender.requested(0), sender.failed(60, message="no node had room")])
    failed = session()
    assert failed.state(at=after(70)) == Session.State.FAILED
    assert (failed.ended_at, failed.message) == (after(60), "no node had room")
    assert not Charge.objects.exists()


def test_a_stop_without_ready_costs_nothing_until_ready_arrives(sender: Sender) -> None:
    sender.take_in([sender.requested(0), sender.stopped(100)])
    assert not Charge.objects.exists()
    sender.take_in([sender.ready(40)])
    assert Charge.objects.get().ended_at == after(100)


def test_a_stop_before_ready_is_flagged_and_the_session_takes_no_time(sender: Sender) -> None:
    sender.take_in([sender.requested(0), sender.ready(40), sender.stopped(30)])
    odd = session()
    assert (odd.ended_at, odd.ended_before_ready) == (after(40), True)
    sender.take_in([sender.stopped(90)])
    assert session().ended_at == after(90)


def test_a_failure_after_ready_counts_as_a_stop(sender: Sender) -> None:
    sender.take_in([sender.ready(0), sender.failed(50), sender.stopped(60)])
    assert session().ended_at == after(50)


def test_the_next_session_of_a_seat_ends_the_one_before(sender: Sender) -> None:
    sender.take_in([sender.requested(0, 1), sender.ready(10, 1)])
    sender.take_in([sender.requested(100, 2), sender.requested(50, 3, server="other")])
    first = session(1)
    assert (first.ended_at, first.end_source) == (after(100), "superseded")
    assert Charge.objects.get(session=first).ended_at == after(100)
    sender.take_in([sender.ready(70, 4)])
    assert session(1).ended_at == after(70)
    sender.take_in([sender.stopped(60, 1)])
    assert (session(1).ended_at, session(1).end_source) == (after(60), "stop")


def test_a_person_known_to_the_hub_by_another_name_is_charged(sender: Sender) -> None:
    bob = User.objects.get(username="bob")
    HubUserName.objects.create(hub=sender.hub, name="Robert@example.org", user=bob)
    sender.take_in([sender.requested(0, 1, "Robert@example.org"), sender.requested(0, 2, "bob")])
    assert (session(1).user, str(session(1).group)) == (bob, "transients")
    assert (session(2).user, session(2).group) == (None, None)


def test_names_are_compared_with_their_case(sender: Sender) -> None:
    sender.take_in([sender.requested(0, 1, "Bob")])
    assert session().user is None


def test_only_a_member_at_the_time_of_the_request_charges_the_group(sender: Sender) -> None:
    charlie = User.objects.get(username="charlie")
    Membership.objects.create(
        user=charlie,
        group=Group.objects.get(name="transients"),
        valid_from=after(100),
        valid_to=after(200),
    )
    for number, seconds in enumerate((99, 100, 199, 200), start=1):
        sender.take_in([sender.requested(seconds, number, "charlie"), sender.ready(300, number)])
    groups = [session(number).group for number in (1, 2, 3, 4)]
    assert [str(group) for group in groups] == ["None", "transients", "transients", "None"]
    assert {s.user for s in Session.objects.all()} == {charlie}
    assert Charge.objects.filter(group=None).count() == 2


def test_a_later_change_of_a_membership_moves_no_charge(sender: Sender) -> None:
    sender.take_in([sender.requested(0), sender.ready(20)])
    Membership.objects.filter(user__username="bob").update(valid_to=after(-100))
    sender.take_in([sender.stopped(100), sender.ready(15), sender.requested(5)])
    assert str(session().group) == str(Charge.objects.get().group) == "transients"


def test_a_session_of_nobody_is_kept_and_charged_to_nobody(sender: Sender) -> None:
    sender.take_in([sender.requested(0, 1, "stranger"), sender.ready(20, 1, "stranger")])
    charge = Charge.objects.get()
    assert (charge.user, charge.group) == (None, None)
    assert list(Session.objects.unattributed()) == [session()]


def test_what_an_administrator_attributed_stays(sender: Sender) -> None:
    sender.take_in([sender.requested(0, 1, "stranger"), sender.ready(20, 1, "stranger")])
    transients = Group.objects.get(name="transients")
    Session.objects.update(user=User.objects.get(username="alice"), group=transients)
    sender.take_in([sender.stopped(90, 1, "stranger")])
    assert (str(session().user), session().group) == ("alice", transients)
    assert Charge.objects.get().group == transients


def test_session_ids_are_compared_as_uuids_per_hub(sender: Sender) -> None:
    ready, stopped = sender.ready(0), sender.stopped(9)
    stopped["session"] = stopped["session"].upper().replace("-", "")
    sender.take_in([ready, stopped])
    assert session().ended_at == after(9)
    make_sender("other").take_in([ready])
    assert Session.objects.count() == 2


def test_a_session_that_two_snapshots_in_a_row_do_not_list_ended_at_the_first(
    sender: Sender,
) -> None:
    sender.take_in([sender.requested(0), sender.ready(10), sender.ready(10, 2, "alice")])
    sender.take_in([sender.snapshot(100, "a", [2])])
    assert session().ended_at is None
    sender.take_in([sender.snapshot(200, "b", [2], part=1, parts=2)])
    assert session().ended_at is None
    sender.take_in([sender.snapshot(200, "b", [], part=2, parts=2)])
    gone = session()
    assert (gone.ended_at, gone.end_source) == (after(100), "snapshot")
    assert Charge.objects.get(session=gone).ended_at == after(100)
    assert session(2).ended_at is None
    # A snapshot between them lists it after all.
    sender.take_in([sender.snapshot(150, "c", [1, 2])])
    assert session().ended_at is None
    assert Charge.objects.get(session=gone).ended_at is None


def test_a_ready_that_comes_after_the_snapshots_that_lack_it_is_charged_until_the_first(
    sender: Sender,
) -> None:
    sender.take_in([sender.requested(0), sender.snapshot(10, "a"), sender.snapshot(20, "b")])
    sender.take_in([sender.ready(5)])
    charge = Charge.objects.get()
    assert charge.ended_at == START + timedelta(seconds=10)


def test_parts_may_be_counted_from_0(sender: Sender) -> None:
    sender.take_in([sender.snapshot(100, "a", [1], part=0, parts=2)])
    assert not Snapshot.objects.get().is_complete
    sender.take_in([sender.snapshot(100, "a", [2], part=1, parts=2)])
    assert (Snapshot.objects.get().is_complete, Snapshot.objects.get().listed) == (True, 2)


def test_a_server_whose_start_the_plugin_did_not_see_is_there_by_its_seat(sender: Sender) -> None:
    sender.take_in([sender.ready(10, 1, "bob")])
    for number in range(3):
        sender.take_in([sender.snapshot(100 + number, f"s{number}", users=("bob",))])
    assert session().ended_at is None


def test_an_empty_snapshot_ends_many_sessions_only_when_it_comes_three_times(
    sender: Sender,
) -> None:
    sender.take_in([sender.ready(0, number, f"user-{number}") for number in range(11)])
    for count, seconds in enumerate((100, 200), start=1):
        sender.take_in([sender.snapshot(seconds, f"empty {count}")])
        assert not Session.objects.exclude(ended_at=None).exists()
        assert Alert.objects.get().resolved_at is None
    sender.take_in([sender.snapshot(300, "empty 3")])
    assert set(Session.objects.values_list("ended_at", "end_source")) == {(after(100), "snapshot")}
    assert Alert.objects.get(kind=Alert.Kind.EMPTY_SNAPSHOT).resolved_at is not None


def test_an_alert_about_an_empty_snapshot_ends_with_a_full_one(sender: Sender) -> None:
    numbers = range(11)
    sender.take_in([sender.ready(0, number, f"user-{number}") for number in numbers])
    sender.take_in([sender.snapshot(100, "empty")])
    sender.take_in([sender.snapshot(200, "full", list(numbers))])
    assert Alert.objects.get().resolved_at is not None
    sender.take_in([sender.snapshot(300, "empty again")])
    assert Alert.objects.filter(resolved_at=None).count() == 1
    assert not Session.objects.exclude(ended_at=None).exists()


def test_an_empty_snapshot_ends_ten_sessions_as_any_other_does(sender: Sender) -> None:
    sender.take_in([sender.ready(0, number, f"user-{number}") for number in range(10)])
    sender.take_in([sender.snapshot(100, "a"), sender.snapshot(200, "b")])
    assert set(Session.objects.values_list("ended_at", flat=True)) == {after(100)}
    assert not Alert.objects.exists()


def test_the_answer_has_exactly_the_members_of_the_contract(sender: Sender) -> None:
    answer = sender.post([sender.ready(0), sender.ready(0), 3])
    assert answer["Content-Type"] == "application/json"
    content = orjson.loads(answer.content)
    assert content.keys() == {"accepted", "duplicates", "rejected"}
    assert [r.keys() for r in content["rejected"]] == [{"index", "id", "code", "detail"}]


def test_a_session_that_snapshots_ended_ends_at_its_successor_when_one_lists_it_after_all(
    sender: Sender,
) -> None:
    sender.take_in([sender.requested(0, 1), sender.ready(1, 1)])
    sender.take_in([sender.snapshot(10, "a"), sender.snapshot(20, "b")])
    sender.take_in([sender.requested(30, 2), sender.ready(31, 2)])
    sender.take_in([sender.snapshot(15, "late", sessions=[1])])
    session = Session.objects.get(key=key(1))
    assert (session.ended_at, session.end_source) == (after(30), "superseded")


def test_a_stop_without_ready_is_flagged_until_ready_arrives_and_is_billed_then(
    sender: Sender,
) -> None:
    sender.take_in([sender.requested(0), sender.stopped(60)])
    assert Session.objects.get().ended_before_ready
    assert not Charge.objects.exists()
    sender.take_in([sender.ready(20)])
    assert not Session.objects.get().ended_before_ready
    assert Charge.objects.values_list("started_at", "ended_at").get() == (after(20), after(60))


def test_days_are_stale_when_only_the_image_of_what_was_charged_changes(sender: Sender) -> None:
    sender.take_in([sender.requested(10, image="lsst"), sender.ready(20), sender.stopped(3620)])
    charge = Charge.objects.values().get()
    StaleDay.objects.all().delete()

    sender.take_in([sender.requested(0, image="base")])  # told late, and the first
    assert (session().image, Charge.objects.values().get()) == ("base", charge)
    assert [stale.day for stale in StaleDay.objects.all()] == [date(2026, 5, 1)]


def test_a_batch_with_a_session_and_the_snapshots_that_lack_it_charges_it_once(
    sender: Sender,
) -> None:
    sender.take_in(
        [
            sender.requested(0, 1),
            sender.ready(20, 1),
            sender.snapshot(100, name="a", sessions=[2]),
            sender.snapshot(200, name="b", sessions=[2]),
        ]
    )
    session = Session.objects.get()
    assert session.end_source == "snapshot"
    assert session.charges.get().ended_at == session.ended_at == START + timedelta(seconds=100)
