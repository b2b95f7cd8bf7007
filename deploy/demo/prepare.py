"""The portal's side of the demo: database, demo data, and the hub's credentials."""

from __future__ import annotations

import hmac
import json
import os
import sys
from pathlib import Path

import django
from django.core.management import call_command

HUB = "demo"
CLIENT = "the demo hub"


def main(credentials: Path, hub_url: str) -> None:
    """Bring the database up to date and write what the hub needs to know."""
    django.setup()
    call_command("migrate", verbosity=0)
    from sessions.models import Hub

    if not Hub.objects.filter(name=HUB).exists():
        call_command("load_demo")
    choose_servers(os.environ["DEMO_SERVERS"])
    link_people(os.environ["OIDC_ISSUER"])
    light_notebooks(f"{hub_url}health")
    show_light(hub_url)
    write_private(credentials, hub_credentials(hub_url))


def choose_servers(where: str) -> None:
    """Let the hub run its servers, or the portal in its cluster, where images need references."""
    from sessions.models import Hub, Image

    mode = Hub.Mode.OBSERVE if where == "hub" else Hub.Mode.DRIVE
    Hub.objects.filter(name=HUB).update(mode=mode)
    if where != "hub":
        bare = Image.objects.filter(hubs__name=HUB, reference="")
        bare.update(reference=os.environ["DEMO_IMAGE"])


def link_people(issuer: str) -> None:
    """Let everybody sign in with the demo provider, where `sub` is the user name."""
    from accounts.models import User
    from accounts.registration import link_identity
    from lsp_portal.lib import clock

    for user in User.objects.exclude(identities__issuer=issuer):
        link_identity(user, issuer=issuer, subject=user.username, at=clock.now())


def show_light(hub_url: str) -> None:
    """Let the landing page show whether the hub is there."""
    from lsp_portal.models import Service

    Service.objects.filter(title="Notebooks").update(status_url=f"{hub_url}health")


def light_notebooks(address: str) -> None:
    """Give the landing page's card of the notebooks its status light."""
    from lsp_portal.models import Service

    Service.objects.filter(title="Notebooks").update(status_url=address)


def hub_credentials(hub_url: str) -> dict[str, str]:
    """The hub's secret, and its id and secret as client of the portal's OpenID provider."""
    from django.conf import settings

    from accounts.oidc_provider.clients import client_credentials, ensure_client
    from lsp_portal.lib import clock
    from sessions.hub.secrets import issue_secret, secret_text
    from sessions.models import Hub

    now = clock.now()
    hub = Hub.objects.get(name=HUB)
    hub.public_url, hub.api_url = hub_url.removesuffix("/hub/"), f"{hub_url}api"
    hub.save(update_fields=["public_url", "api_url"])
    newest = hub.secrets.valid(at=now).order_by("-valid_from", "-pk").first()
    ensure_client(name=CLIENT, redirect_uris=[f"{hub_url}oauth_callback"], needs_consent=False)
    client_id, client_secret = client_credentials(CLIENT)
    return {
        "hub": HUB,
        "secret": secret_text(newest or issue_secret(hub, now)),
        "client_id": client_id,
        "client_secret": client_secret,
        "crypt_key": hmac.digest(settings.SECRET_KEY.encode(), b"demo hub", "sha256").hex(),
    }


def write_private(path: Path, content: dict[str, str]) -> None:
    """Write a file that only we can read, at once or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(content, file)
    new.rename(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
