"""The invented people and groups of the demo."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from accounts.models import Group, Membership, User

GROUPS = {
    "transients": "Transients",
    "galaxies": "Galaxies",
    "solar-system": "Solar System",
    "commissioning": "Commissioning",
}

HISTORY = timedelta(days=183)
"""How far back the sessions go; memberships begin earlier."""


@dataclass(frozen=True, slots=True)
class Persona:
    """A person, the roles in groups (the first group is used most), and how busy they are.

    `weight` is the chance of a session on a weekday; `size` is what they usually take.
    """

    name: str
    first: str
    last: str
    roles: tuple[tuple[str, str], ...]
    weight: float
    size: str


PI, MANAGER, MEMBER = "pi", "manager", "member"

PEOPLE = (
    Persona("alice", "Alice", "Amari", (("transients", PI),), 0.7, "medium"),
    Persona("bob", "Bob", "Brandt", (("transients", MEMBER), ("galaxies", MEMBER)), 0.8, "small"),
    Persona("charlie", "Charlie", "Chen", (("solar-system", MEMBER),), 0.6, "small"),
    Persona("dora", "Dora", "Duarte", (("commissioning", MEMBER),), 0.1, "tiny"),
    Persona("fatima", "Fatima", "Farouk", (("transients", MANAGER),), 0.6, "medium"),
    Persona("gustav", "Gustav", "Grieg", (("transients", MEMBER),), 0.5, "large"),
    Persona("hana", "Hana", "Hirose", (("transients", MEMBER),), 0.5, "small"),
    Persona("ines", "Inés", "Ibarra", (("transients", MEMBER),), 0.3, "medium"),
    Persona("jonas", "Jonas", "Jansen", (("transients", MEMBER),), 0.4, "small"),
    Persona("kwame", "Kwame", "Kusi", (("galaxies", PI),), 0.6, "large"),
    Persona("lena", "Lena", "Lindqvist", (("galaxies", PI),), 0.3, "medium"),
    Persona("mateo", "Mateo", "Morales", (("galaxies", MANAGER),), 0.5, "medium"),
    Persona("nadia", "Nadia", "Novak", (("galaxies", MEMBER),), 0.5, "medium"),
    Persona("oisin", "Oisín", "O'Brien", (("galaxies", MEMBER),), 0.4, "small"),
    Persona("priya", "Priya", "Rao", (("commissioning", MEMBER), ("galaxies", PI)), 0.7, "tiny"),
    Persona("quentin", "Quentin", "Quesnel", (("galaxies", MEMBER),), 0.2, "tiny"),
    Persona("rosa", "Rosa", "Ricci", (("solar-system", PI),), 0.6, "medium"),
    Persona("samir", "Samir", "Said", (("solar-system", MANAGER),), 0.5, "small"),
    Persona("tove", "Tove", "Thorsen", (("solar-system", MEMBER),), 0.4, "tiny"),
    Persona("ugo", "Ugo", "Umberti", (("solar-system", MEMBER),), 0.3, "small"),
    Persona("vera", "Vera", "Vasquez", (("solar-system", MEMBER),), 0.3, "medium"),
    Persona("wanjiru", "Wanjiru", "Waweru", (("commissioning", PI),), 0.5, "medium"),
    Persona("xavier", "Xavier", "Ximenes", (("commissioning", MEMBER),), 0.4, "small"),
    Persona("yuki", "Yuki", "Yamada", (("commissioning", MEMBER),), 0.5, "small"),
    Persona("zofia", "Zofia", "Zielinska", (("commissioning", MEMBER),), 0.3, "tiny"),
)  # fmt: skip


def add_groups(*, at: datetime) -> dict[str, Group]:
    """The four groups by name; `at` is the moment of the demo."""
    created_at = at - 2 * HISTORY
    return {
        name: Group.objects.create(name=name, title=title, created_at=created_at)
        for name, title in GROUPS.items()
    }


def add_people(groups: dict[str, Group], *, at: datetime) -> None:
    """All people, approved, with their memberships; nobody of them has a password."""
    joined = at - HISTORY - timedelta(days=30)
    for persona in PEOPLE:
        user = _person(persona, joined)
        for group, role in persona.roles:
            Membership.objects.create(user=user, group=groups[group], role=role, valid_from=joined)


def _person(persona: Persona, joined: datetime) -> User:
    """The person, who may be there already, for example as the first administrator."""
    user = User.objects.filter(username=persona.name).first() or User(username=persona.name)
    user.first_name, user.last_name = persona.first, persona.last
    user.email = user.email or f"{persona.name}@example.org"
    user.registered_at = user.date_joined = joined
    user.is_staff = user.is_superuser = persona.name == "dora"
    if not user.password:
        user.set_unusable_password()
    user.save()
    return user
