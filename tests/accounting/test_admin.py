"""Exports in the administration."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from accounting.models import ExportMark, ExportRun
from sessions.models import Session
from tests import factories
from tests.factories import LONG_AGO

MARKS = reverse("admin:accounting_exportmark_changelist")


@pytest.fixture
def admin(client: Client, db: None) -> Client:
    """The browser of Dora."""
    client.force_login(factories.user("dora", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def run(db: None) -> ExportRun:
    return ExportRun.objects.create(
        hub=factories.hub(), until=LONG_AGO, directory="/exports", first_job_id=7, jobs=1,
        summary={"core_seconds": 3600},
    )  # fmt: skip


def add_mark(run: ExportRun, session: Session, job_id: int) -> ExportMark:
    return ExportMark.objects.create(
        session=session, run=run, job_id=job_id, user_name="bob", uid=20001,
        group_name="transients", gid=30001, submitted_at=LONG_AGO, started_at=LONG_AGO,
        ended_at=LONG_AGO, cpu_millicores=500, cpus=1, memory_mib=1024, gpus=0, exit_code=0,
        job_state="COMPLETED", size="<b>", node="n", image="i",
    )  # fmt: skip


def test_the_way_leads_from_a_run_to_its_lines_and_their_sessions(
    admin: Client, run: ExportRun
) -> None:
    session = factories.session(run.hub, factories.user(), factories.group())
    mark = add_mark(run, session, 7)
    other = ExportRun.objects.create(
        hub=run.hub, until=LONG_AGO, directory="/exports", first_job_id=8, jobs=1
    )
    add_mark(other, factories.session(run.hub, factories.user(), factories.group()), 8)

    page = admin.get(reverse("admin:accounting_exportrun_change", args=[run.pk]))
    lines = f"{MARKS}?run__id__exact={run.pk}"

    assert lines in page.content.decode()
    assert list(admin.get(lines).context["cl"].result_list) == [mark]
    own = admin.get(reverse("admin:accounting_exportmark_change", args=[mark.pk]))
    assert "&lt;b&gt;" in own.content.decode()
    session_page = reverse("admin:hub_sessions_session_change", args=[session.pk])
    assert session_page in own.content.decode()


def test_a_published_line_is_found_by_job_id_and_by_session(admin: Client, run: ExportRun) -> None:
    ExportRun.objects.update(first_job_id=2_000_000_000)
    mark = add_mark(
        run, factories.session(run.hub, factories.user(), factories.group()), 2_000_000_000
    )

    for term in (mark.job_id, mark.pk):
        assert list(admin.get(MARKS, {"q": term}).context["cl"].result_list) == [mark]
    assert list(admin.get(MARKS, {"q": "bob"}).context["cl"].result_list) == []


def test_what_was_published_can_neither_be_changed_nor_deleted(
    admin: Client, run: ExportRun
) -> None:
    mark = add_mark(run, factories.session(run.hub, factories.user(), factories.group()), 7)

    for row in (run, mark):
        name = f"admin:accounting_{row._meta.model_name}"
        assert admin.post(reverse(f"{name}_change", args=[row.pk]), {}).status_code == 403
        answer = admin.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"})
        assert answer.status_code == 403
