"""Links open one statement for whoever has them, and nothing once they are over."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from accounting.models import ReportLink
from accounting.pages.period import choose
from accounting.sharing import links
from accounting.sharing.links import LinkRefused, TooManyUses
from accounting.statements.closing import close_period
from accounts.models import Change, Group, User
from quotas.models import AllocationPeriod
from tests.accounting.sharing.conftest import press
from tests.accounting.visits import DAY, NOW, text, visit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("used")]

PAGE = "/groups/transients/links/"
MINUTE = timedelta(minutes=1)


def made(group: Group, by: User, **asked: object) -> tuple[ReportLink, str]:
    choice = choose({"first": "2026-04-01", "last": "2026-04-30"}, at=NOW)
    values = {"note": "Council", "with_names": False, "days": 90, **asked}
    return links.make_link(group, choice, by=by, at=NOW, **values)  # type: ignore[arg-type]


def test_the_pi_makes_a_link_that_opens_without_signing_in(alice: User, transients: Group) -> None:
    path = f"{PAGE}?first=2026-04-01&last=2026-04-30"
    assert press(alice, path, note="Council", days="90") == 200
    link = ReportLink.objects.get()
    assert (link.note, link.with_names, link.created_by) == ("Council", False, alice)
    assert link.expires_at - link.created_at == 90 * DAY
    link, secret = made(transients, alice)
    page = visit(None, f"/shared/{secret}/")
    assert page.status_code == 200
    assert 'value="4.000000"' in page.content.decode()
    assert "noindex" in page["X-Robots-Tag"]
    assert page["Referrer-Policy"] == "no-referrer"
    assert "no-store" in page["Cache-Control"]
    for kind in ("pdf", "ods", "csv"):
        assert visit(None, f"/shared/{secret}/statement.{kind}").status_code == 200
    assert visit(None, f"/shared/{secret}/statement.doc").status_code == 404


def test_the_secret_is_shown_once_and_not_kept(alice: User, transients: Group) -> None:
    _, secret = made(transients, alice)
    assert bytes(ReportLink.objects.get().digest) == links.digest(secret)
    assert secret not in text(alice, PAGE)
    assert not re.search(secret, str(list(Change.objects.values("changes", "object_repr"))))


def test_without_names_nobody_is_named(alice: User, bob: User, transients: Group) -> None:
    _, hidden = made(transients, alice)
    _, named = made(transients, alice, with_names=True)
    for path in ("", "statement.csv"):
        assert bob.username not in text(None, f"/shared/{hidden}/{path}")
        assert bob.username in text(None, f"/shared/{named}/{path}")


def test_what_is_expired_revoked_or_wrong_opens_nothing(alice: User, transients: Group) -> None:
    link, secret = made(transients, alice, days=3)
    address = f"/shared/{secret}/"
    assert visit(None, address, at=NOW + 3 * DAY - MINUTE).status_code == 200
    assert visit(None, address, at=NOW + 3 * DAY).status_code == 404
    assert press(alice, f"{PAGE}{link.pk}/revoke") == 302
    for path in (address, f"{address}statement.pdf", f"/shared/{secret}x/", "/shared/%00/"):
        assert visit(None, path).status_code == 404
    assert "revoked" in text(alice, PAGE)


def test_uses_are_counted_and_limited_by_minute(alice: User, transients: Group) -> None:
    link, secret = made(transients, alice)
    for _ in range(links.MOST_A_MINUTE):
        assert links.opened(secret, at=NOW) == link
    with pytest.raises(TooManyUses):
        links.opened(secret, at=NOW)
    answer = visit(None, f"/shared/{secret}/")
    assert (answer.status_code, answer["Retry-After"]) == (429, "60")
    assert links.opened(secret, at=NOW + MINUTE) == link
    link.refresh_from_db()
    assert (link.uses, link.last_used_at) == (links.MOST_A_MINUTE + 1, NOW + MINUTE)


def test_the_link_follows_the_period_until_it_is_closed(
    alice: User, transients: Group, period: AllocationPeriod
) -> None:
    choice = choose({"period": str(period.pk)}, at=NOW)
    _, secret = links.make_link(
        transients, choice, note="n", with_names=False, days=365, by=alice, at=NOW
    )
    assert "Provisional." in text(None, f"/shared/{secret}/")
    later = period.ends_at + DAY
    statement = close_period(period, author=None, at=later)
    assert statement.hash in text(None, f"/shared/{secret}/", at=later)


def test_only_pis_and_administrators_make_and_revoke_links(
    alice: User, bob: User, charlie: User, dora: User, transients: Group
) -> None:
    link, _ = made(transients, alice)
    for who in (bob, charlie):
        assert press(who, PAGE, note="n", days="9") == 404
        assert press(who, f"{PAGE}{link.pk}/revoke") == 404
    assert press(dora, PAGE, note="n", days="9") == 200
    assert press(alice, PAGE, note="", days="366") == 400
    assert press(alice, f"{PAGE}?first=2026-02-02&last=2026-01-01", note="n", days="9") == 400
    assert ReportLink.objects.count() == 2


def test_a_group_has_so_many_links_at_most(
    alice: User, transients: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "MOST_OPEN", 1)
    link, _ = made(transients, alice)
    with pytest.raises(LinkRefused, match="Revoke one"):
        made(transients, alice)
    assert press(alice, PAGE, note="n", days="9") == 400
    links.revoke_link(link, at=NOW)
    made(transients, alice)


def test_making_and_revoking_is_in_the_trail_of_the_group(alice: User, transients: Group) -> None:
    press(alice, PAGE, note="Council", days="9")
    press(alice, f"{PAGE}{ReportLink.objects.get().pk}/revoke")
    said = text(alice, "/groups/transients/history/")
    assert said.count("the link to the statement for Council") == 2
