"""The demo identity provider: anybody may be anybody, without a password."""

from __future__ import annotations

import os
from pathlib import Path

import flask
import jinja2
import oidc_provider_mock
import uvicorn

from deploy.demo.layout import HOST
from deploy.demo.people import PEOPLE, institutional_claims

TEMPLATES = Path(__file__).resolve().parent / "templates"


def make_app() -> flask.Flask:
    """The provider with the demo people and a page of our own that needs no network."""
    users = [oidc_provider_mock.User(sub=p["sub"], claims=claims(p)) for p in PEOPLE]
    app: flask.Flask = oidc_provider_mock.app(user_claims=users, require_nonce=True)
    app.jinja_loader = jinja2.ChoiceLoader(
        [jinja2.FileSystemLoader(TEMPLATES), app.jinja_loader or jinja2.DictLoader({})]
    )
    app.jinja_env.globals["people"] = PEOPLE
    return app


def claims(person: dict[str, str]) -> dict[str, object]:
    """What the provider says about a person."""
    name = person["sub"]
    return {
        "preferred_username": name,
        "name": person["name"],
        "email": f"{name}@demo.example",
        "email_verified": True,
        **institutional_claims(name),
    }


def main() -> None:
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # http is enough on one machine
    port = int(os.environ["DEMO_IDP_PORT"])
    uvicorn.run(make_app(), interface="wsgi", host=HOST, port=port, log_level="warning")


if __name__ == "__main__":
    main()
