"""Who can sign in with the demo provider: the people of `manage.py load_demo`, and a newcomer."""

from __future__ import annotations

import hashlib

PEOPLE: list[dict[str, str]] = [
    {
        "sub": "alice",
        "name": "Alice Amari",
        "role": "PI of transients",
    },
    {
        "sub": "bob",
        "name": "Bob Brandt",
        "role": "member of transients and galaxies",
    },
    {
        "sub": "charlie",
        "name": "Charlie Chen",
        "role": "member of solar-system",
    },
    {
        "sub": "dora",
        "name": "Dora Duarte",
        "role": "administrator",
    },
    {
        "sub": "erin",
        "name": "Erin Eriksen",
        "role": "new here: waits for dora's approval",
    },
]


def entitlement(group: str, role: str) -> str:
    """As EGI Check-in writes them (AARC-G069)."""
    return f"urn:mace:egi.eu:group:lsst.demo.example:{group}:role={role}#aai.demo.example"


# What institutions say about some of them, in the claims of EGI Check-in; dora has none.
AFFILIATIONS: dict[str, list[str]] = {
    "alice": ["faculty@ed.ac.example", "member@ed.ac.example"],
    "bob": ["student@ucl.ac.example", "member@ucl.ac.example"],
    "erin": ["member@uio.example"],
}
ENTITLEMENTS: dict[str, list[str]] = {
    "alice": [entitlement("transients", "pi")],
    "bob": [entitlement("transients", "member"), entitlement("galaxies", "member")],
    "erin": [entitlement("galaxies", "member")],
}


def institutional_claims(sub: str) -> dict[str, object]:
    """What the provider knows from somebody's institution; nothing about some people."""
    if sub not in AFFILIATIONS:
        return {}
    return {
        "voperson_id": f"{hashlib.sha256(sub.encode()).hexdigest()}@egi.eu",
        "eduperson_scoped_affiliation": AFFILIATIONS[sub],
        "eduperson_entitlement": ENTITLEMENTS[sub],
    }
