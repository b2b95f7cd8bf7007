"""Sources in the administration: a look at what would change, and the change."""

from __future__ import annotations

import re

from django.test import Client
from django.urls import reverse

from accounts.models import User
from lsp_portal.lib import clock
from sessions.models import Image, ImageSource
from sessions.registry.syncing import sync
from tests.sessions.registry.stub import Fault, StubRegistry


def page(source: ImageSource, name: str = "look") -> str:
    return reverse(f"admin:hub_sessions_imagesource_{name}", args=[source.pk])


def test_dora_looks_before_she_changes_anything(
    client: Client, dora: User, source: ImageSource, stub: StubRegistry
) -> None:
    client.force_login(dora)
    stub.push("w_2026_47")
    assert "w_2026_47 is new" in client.get(page(source)).content.decode()
    assert Image.objects.filter(source=source).count() == 0
    answer = client.post(page(source), follow=True).content.decode()
    assert "The registry was read: 1 new" in answer
    assert "not read yet" not in answer
    assert Image.objects.get(source=source).tag == "w_2026_47"


def test_a_doubtful_answer_has_to_be_confirmed(
    client: Client, dora: User, source: ImageSource, stub: StubRegistry
) -> None:
    client.force_login(dora)
    stub.push("w_2026_47")
    client.post(page(source))
    digest = stub.tags.pop("w_2026_47")
    del stub.manifests[digest]
    answer = client.post(page(source)).content.decode()
    assert "only 0 would be left" in answer
    assert Image.objects.get(source=source).retires_at is None
    client.post(page(source), {"confirmed": "1"})
    assert Image.objects.get(source=source).retires_at is not None


def test_what_is_wrong_with_the_registry_is_told(
    client: Client, dora: User, source: ImageSource, stub: StubRegistry
) -> None:
    client.force_login(dora)
    stub.faults["tags"] = Fault(403)
    assert "Look whether the credentials" in client.get(page(source)).content.decode()


def test_an_image_of_a_source_is_not_edited_or_deleted(
    client: Client, dora: User, source: ImageSource, stub: StubRegistry
) -> None:
    client.force_login(dora)
    stub.push("w_2026_47")
    client.post(page(source))
    image = Image.objects.get(source=source)
    change = reverse("admin:hub_sessions_image_change", args=[image.pk])
    assert client.get(change).status_code == 200
    client.post(change, {"description": "This week's", "digest": "x", "title": "Mine"})
    image.refresh_from_db()
    assert (image.description, image.title) == ("This week's", "Lab: Weekly 2026, week 47")
    delete = reverse("admin:hub_sessions_image_delete", args=[image.pk])
    assert client.get(delete).status_code == 403


def test_the_start_form_groups_images_by_kind_with_the_recommended_first(
    client: Client, bob: User, source: ImageSource, stub: StubRegistry
) -> None:
    stub.push("r27_0_0")
    stub.push("w_2026_47", "recommended", content="47")
    sync(source, at=clock.now())
    client.force_login(bob)
    page = client.get(reverse("my_usage")).content.decode()
    form = page[page.index('name="image"') :]
    labels = re.findall(r'<optgroup label="([^"]+)"', form[: form.index("</select>")])
    assert labels == ["Recommended", "Images", "Releases", "Weekly builds"]
