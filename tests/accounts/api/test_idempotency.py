"""Writes that are sent again."""

from __future__ import annotations

from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection

from accounts.api.idempotency import forget_answers
from accounts.models import Group, KeptAnswer
from accounts.tasks import forget_kept_answers
from lsp_portal.lib import clock
from tests import factories
from tests.cast import Cast, make_cast

NEW = {"name": "quasars", "title": "Quasars"}


@pytest.mark.django_db
def test_a_repeated_write_gets_the_same_answer_and_takes_effect_once(
    cast: Cast, program: Any
) -> None:
    dora = program(cast.dora)
    first = dora.post("groups", NEW, key="k1")
    assert first.status_code == 201
    Group.objects.filter(name="quasars").update(title="changed since")
    again = dora.post("groups", {"title": "Quasars", "name": "quasars"}, key="k1")
    assert (again.status_code, again.json()) == (201, first.json())
    assert again["Idempotent-Replayed"] == "true"
    assert dora.post("groups", NEW).status_code == 400  # without key it is a second group


@pytest.mark.django_db
def test_the_same_key_for_another_request_is_a_conflict(cast: Cast, program: Any) -> None:
    dora = program(cast.dora)
    dora.post("groups", NEW, key="k1")
    for answer in (
        dora.post("groups", {**NEW, "title": "Other"}, key="k1"),
        dora.post("users", NEW, key="k1"),
        dora.patch("groups/quasars", NEW, key="k1"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


@pytest.mark.django_db
def test_keys_belong_to_their_caller(cast: Cast, program: Any) -> None:
    eve = program(factories.administrator("eve"))
    assert program(cast.dora).post("groups", NEW, key="k1").status_code == 201
    assert eve.post("groups", {"name": "other", "title": "Other"}, key="k1").status_code == 201
    service = program(None)
    assert service.post("groups", {"name": "third", "title": "Third"}, key="k1").status_code == 201
    callers = KeptAnswer.objects.values_list("caller", flat=True)
    assert f"token {service.token.pk}" in callers
    # Two tokens of one person are one caller.
    assert program(cast.dora).post("groups", NEW, key="k1")["Idempotent-Replayed"] == "true"


@pytest.mark.django_db
def test_a_refused_write_can_be_put_right_and_sent_again(cast: Cast, program: Any) -> None:
    dora = program(cast.dora)
    assert dora.post("groups", {"name": "quasars"}, key="k1").status_code == 400
    assert dora.post("groups", NEW, key="k1").status_code == 201


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", "x" * 256, "schlüssel"])
def test_a_key_that_is_none_is_refused(cast: Cast, program: Any, key: str) -> None:
    answer = program(cast.dora).post("groups", NEW, key=key)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_idempotency_key")
    assert not Group.objects.filter(name="quasars").exists()


@pytest.mark.django_db
def test_answers_are_kept_for_a_day(cast: Cast, program: Any) -> None:
    dora = program(cast.dora)
    dora.post("groups", NEW, key="k1")
    dora.post("groups", {"name": "young", "title": "Young"}, key="k2")
    old = KeptAnswer.objects.filter(key="k1")
    old.update(created_at=clock.now() - timedelta(hours=24))
    assert dora.post("groups", NEW, key="k1").json()["code"] == "invalid"  # asked anew
    old.update(created_at=clock.now() - timedelta(hours=24))
    assert forget_kept_answers() == 1
    assert forget_answers(at=clock.now()) == 0
    assert list(KeptAnswer.objects.values_list("key", flat=True)) == ["k2"]


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_exactly_one_takes_effect(program: Any) -> None:
    dora = make_cast().dora
    programs = [program(dora) for _ in range(6)]
    barrier, answers = Barrier(len(programs)), []

    def send(caller: Any) -> None:
        barrier.wait()
        try:
            answers.append(caller.post("groups", NEW, key="same"))
        finally:
            connection.close()

    threads = [Thread(target=send, args=(caller,)) for caller in programs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [answer.status_code for answer in answers] == [201] * len(programs)
    assert all(answer.json() == answers[0].json() for answer in answers)
    assert sum("Idempotent-Replayed" in answer for answer in answers) == len(programs) - 1
    assert Group.objects.filter(name="quasars").count() == 1
