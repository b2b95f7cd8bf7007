"""The commands that register hubs and turn their secrets over."""

from __future__ import annotations

import base64
import re
from datetime import timedelta
from io import StringIO

import pytest
import time_machine
from django.core.management import CommandError, call_command

from sessions.hub.secrets import secret_text
from sessions.models import Hub, HubSecret, Image, Size
from tests.sessions.launch.platform import NOW

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = StringIO()
    with time_machine.travel(NOW, tick=False):
        call_command(*arguments, stdout=out)
    return out.getvalue()


def secret_in(line: str) -> str:
    [secret] = re.findall(r"whsec_[A-Za-z0-9+/=]+", line)
    assert isinstance(secret, str)
    return secret


def test_a_new_hub_offers_everything_and_its_secret_is_told_in_one_line() -> None:
    line = run("create_hub", "demo", "--title", "Demo hub", "--public-url", "http://hub:8000/")
    hub = Hub.objects.get()
    assert line.count("\n") == 1
    assert secret_in(line) == secret_text(hub.secrets.get())
    assert len(base64.b64decode(secret_in(line).removeprefix("whsec_"))) == 32
    assert (hub.title, hub.public_url) == ("Demo hub", "http://hub:8000")
    assert set(hub.images.all()) == set(Image.objects.all())
    assert set(hub.sizes.all()) == set(Size.objects.all())
    assert hub.default_size == Size.objects.get(name="tiny")


def test_the_secret_is_stored_nowhere() -> None:
    secret = secret_in(run("create_hub", "demo"))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    row = HubSecret.objects.values_list().get()
    assert not any(text in str(row) for text in (secret, key.hex()))


def test_a_second_hub_of_the_same_name_is_refused() -> None:
    run("create_hub", "demo")
    with pytest.raises(CommandError, match="exists already") as refusal:
        run("create_hub", "demo")
    assert refusal.value.returncode == 1
    assert Hub.objects.count() == HubSecret.objects.count() == 1


@pytest.mark.parametrize("name", ["Demo", "1st", "a" * 21, "", "dé", "a b", "a\n"])
def test_a_name_that_no_hub_can_have_is_refused(name: str) -> None:
    with pytest.raises(CommandError, match="name: "):
        run("create_hub", "--", name)
    assert not Hub.objects.exists()


@pytest.mark.parametrize("url", ["hub.example.org", "ftp://hub", "http://", "http://h/?q"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(CommandError, match="api_url: "):
        run("create_hub", "demo", "--api-url", url)


def test_after_a_rotation_both_secrets_are_valid_for_the_overlap() -> None:
    first = secret_in(run("create_hub", "demo"))
    second = secret_in(run("rotate_hub_secret", "demo", "--overlap", "600"))
    assert first != second

    def valid(seconds: int) -> set[str]:
        at = NOW + timedelta(seconds=seconds)
        return {secret_text(secret) for secret in HubSecret.objects.valid(at=at)}

    assert valid(0) == valid(599) == {first, second}
    assert valid(600) == {second}


def test_a_rotation_never_makes_an_old_secret_live_longer() -> None:
    run("create_hub", "demo")
    run("rotate_hub_secret", "demo", "--overlap", "60")
    run("rotate_hub_secret", "demo", "--overlap", "3600")
    ends = HubSecret.objects.order_by("pk").values_list("valid_to", flat=True)
    assert list(ends) == [NOW + timedelta(seconds=60), NOW + timedelta(seconds=3600), None]


def test_a_rotation_without_overlap_ends_the_old_secret_at_once() -> None:
    run("create_hub", "demo")
    second = secret_in(run("rotate_hub_secret", "demo", "--overlap", "0"))
    assert [secret_text(s) for s in HubSecret.objects.valid(at=NOW)] == [second]


@pytest.mark.parametrize("overlap", ["-1", "99999999"])
def test_an_overlap_that_makes_no_sense_is_refused(overlap: str) -> None:
    run("create_hub", "demo")
    with pytest.raises(CommandError, match="--overlap must be"):
        run("rotate_hub_secret", "demo", f"--overlap={overlap}")


def test_a_hub_that_does_not_exist_has_no_secret_to_turn_over() -> None:
    with pytest.raises(CommandError, match="There is no hub “nowhere”"):
        run("rotate_hub_secret", "nowhere")
