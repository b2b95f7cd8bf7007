"""From an identity to a person: known ones are recognised, unknown ones get a free name."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from accounts import posix
from accounts.approvals import announce
from accounts.claims.at_sign_in import take_in
from accounts.identity.failures import SignInFailedError
from accounts.identity.providers import Provider
from accounts.invitations import InvitationError, accept
from accounts.models import Identity, Invitation, Name, User
from accounts.registration_policy import ensure_may_come, register_by_policy

NAME_LENGTH = 30
ATTEMPTS = 20  # newcomers who want the same name at the same moment
NO_NUMBERS = "This site cannot take in anybody at the moment; its administrators can change that."
PROTOCOL_CLAIMS = {"iss", "aud", "azp", "exp", "iat", "nbf", "nonce", "at_hash", "c_hash", "jti"}
# Accounts that Linux or JupyterHub give a meaning of their own.
RESERVED = {
    "admin", "backup", "bin", "daemon", "games", "hub", "jovyan", "lp", "mail", "man", "news",
    "nobody", "proxy", "root", "sshd", "sync", "sys", "systemd", "user", "uucp",
}  # fmt: skip


class IdentityTakenError(Exception):
    """The identity belongs to another person."""


def link_identity(user: User, *, issuer: str, subject: str, at: datetime) -> Identity:
    """The identity as one of that person; a second time changes nothing.

    Raises IdentityTakenError.
    """
    identity, _ = Identity.objects.get_or_create(
        issuer=issuer,
        subject=subject,
        defaults={"user": user, "email": user.email, "first_seen_at": at, "last_seen_at": at},
    )
    if identity.user_id != user.pk:
        raise IdentityTakenError(f"{identity} already belongs to {identity.user}.")
    return identity


def sign_in_identity(
    *,
    provider: Provider,
    issuer: str,
    subject: object,
    claims: Mapping[str, Any],
    at: datetime,
    invitation: Invitation | None = None,
) -> User:
    """The person with that identity; an unknown one becomes a person, as the policy says.

    `invitation`: the open one whose link the person followed; that of a guest account leads there.

    Raises SignInFailedError when the provider's answer names nobody.
    """
    key = _checked_subject(issuer, subject)
    kept = {name: _clean(value) for name, value in claims.items() if name not in PROTOCOL_CLAIMS}
    for _ in range(ATTEMPTS):
        identity = Identity.objects.select_related("user").filter(issuer=issuer, subject=key)
        known = identity.first()
        if known is not None:
            return _seen_again(known, provider, kept, at)
        try:
            return _newcomer(provider, issuer, key, kept, at, invitation)
        except IntegrityError as error:
            if posix.is_used_up(error):
                raise SignInFailedError("no_numbers", NO_NUMBERS) from error
            continue  # somebody else took the name or number, or the same person came twice
    raise SignInFailedError("busy", "Too many people sign in at the moment. Please try again.")


def free_name(claims: Mapping[str, Any]) -> str:
    """A name that nobody has or had: from the claims, with a number where it is taken."""
    base = next(_wishes(claims))
    taken = set(Name.objects.filter(name__startswith=base[:20]).values_list("name", flat=True))
    taken |= RESERVED
    number, name = 1, base
    while name in taken:
        number += 1
        name = f"{base[: NAME_LENGTH - len(str(number)) - 1].rstrip('-')}-{number}"
    return name


def slug(text: str) -> str:
    """The text as a name: `Zoë O'Hara` is `zoe-o-hara`; empty when no letter is left."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain)
    return re.sub(r"^[^a-z]+", "", words)[:NAME_LENGTH].rstrip("-")


def _wishes(claims: Mapping[str, Any]) -> Iterator[str]:
    for claim in ("preferred_username", "email", "name"):
        wish = slug(_text(claims, claim).partition("@")[0])
        if wish:
            yield wish
    yield "user"


def _newcomer(
    provider: Provider,
    issuer: str,
    subject: str,
    claims: dict[str, Any],
    at: datetime,
    invitation: Invitation | None,
) -> User:
    who = f"{subject} at {issuer}"
    ensure_may_come(provider, invited=invitation is not None, who=who)
    with transaction.atomic():
        user = _account_of(invitation, at) or _create_person(provider, claims)
        identity = Identity.objects.create(
            user=user,
            provider=provider.name,
            issuer=issuer,
            subject=subject,
            email=_email(claims),
            claims=claims,
            first_seen_at=at,
            last_seen_at=at,
        )
        _after_sign_in(identity, provider, at)
        _tell_administrators(user, invitation)
    return user


def _account_of(invitation: Invitation | None, at: datetime) -> User | None:
    """The guest or shared account that the invitation opens, once."""
    if invitation is None or invitation.account is None:
        return None
    try:
        accept(invitation=invitation, user=invitation.account, at=at)
    except InvitationError as error:
        raise SignInFailedError(error.code, str(error), status=error.status) from error
    return invitation.account


def _create_person(provider: Provider, claims: dict[str, Any]) -> User:
    first, last = _full_name(claims)
    user = User(
        username=free_name(claims),
        first_name=first,
        last_name=last,
        email=_email(claims),
    )
    claimed = posix.claimed_uid(posix.uid_claim(provider, claims)).number
    if claimed is not None:
        user.uid = claimed
    user.set_unusable_password()
    user.save(force_insert=True)
    return user


def _after_sign_in(identity: Identity, provider: Provider, at: datetime) -> None:
    """What follows each time that a provider spoke of somebody."""
    take_in(identity, provider=provider, at=at)
    register_by_policy(identity, provider=provider, at=at)


def _tell_administrators(user: User, invitation: Invitation | None) -> None:
    """Of a newcomer who waits; who is about to accept an invitation may not have to."""
    if user.registered_at is None and not (invitation and settings.INVITATIONS_REGISTER):
        announce(user)


def _seen_again(
    identity: Identity, provider: Provider, claims: dict[str, Any], at: datetime
) -> User:
    identity.provider = provider.name
    identity.email = _email(claims)
    identity.claims = claims
    identity.last_seen_at = at
    with transaction.atomic():
        identity.save(update_fields=["provider", "email", "claims", "last_seen_at"])
        _after_sign_in(identity, provider, at)
    return identity.user


def _checked_subject(issuer: str, subject: object) -> str:
    fits = isinstance(subject, str) and 0 < len(subject) <= 255 and len(issuer) <= 255
    if isinstance(subject, str) and fits and subject == _clean(subject):
        return subject
    raise SignInFailedError("no_subject", "The identity provider does not say who you are.")


def _full_name(claims: Mapping[str, Any]) -> tuple[str, str]:
    first, last = _text(claims, "given_name"), _text(claims, "family_name")
    if not first and not last:
        first, _, last = _text(claims, "name").partition(" ")
    return first[:150], last[:150]


def _email(claims: Mapping[str, Any]) -> str:
    email = _text(claims, "email")
    try:
        validate_email(email)
    except ValidationError:
        return ""
    return email if len(email) <= 254 else ""


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    return value.strip() if isinstance(value, str) else ""


def _clean(value: Any) -> Any:
    """The value without what PostgreSQL's JSON cannot hold: NUL, half characters, infinities."""
    if isinstance(value, str):
        return value.encode(errors="ignore").decode().replace("\0", "")
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    return value
