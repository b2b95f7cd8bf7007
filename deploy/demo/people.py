"""Who can sign in with the demo provider: the people of `manage.py load_demo`, and a newcomer."""

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
