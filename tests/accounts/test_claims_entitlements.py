"""The grammar of entitlements (AARC-G002, AARC-G069)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.claims.entitlements import Entitlement, NotAGroupError, group_path

EGI = "urn:mace:egi.eu:group:fedcloud.egi.eu:role=vm_operator#aai.egi.eu"
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
nids = st.from_regex(r"\A[a-z0-9][a-z0-9-]{0,8}[a-z0-9]\Z")
# A group that reads like a role at the end would be one.
groups = st.lists(texts.filter(lambda t: not t.startswith("role=")), min_size=1, max_size=4)
namespaces = st.lists(texts.filter(lambda t: t != "group"), min_size=1, max_size=3)


@given(nids, namespaces, groups, texts | st.just(""), texts | st.just(""))
def test_what_is_written_is_read_again(
    nid: str, namespace: list[str], names: list[str], role: str, authority: str
) -> None:
    made = Entitlement((nid, *namespace), tuple(names), role, authority)
    assert Entitlement.parse(str(made)) == made


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    for whole in (text, f"urn:{text}", f"urn:mace:egi.eu:group:{text}"):
        try:
            found = Entitlement.parse(whole)
        except NotAGroupError:
            continue
        assert Entitlement.parse(str(found)) == found


def test_the_parts_of_an_entitlement_are_found() -> None:
    found = Entitlement.parse(EGI)
    assert found.namespace == ("mace", "egi.eu")
    assert found.groups == ("fedcloud.egi.eu",)
    assert (found.role, found.authority) == ("vm_operator", "aai.egi.eu")


@pytest.mark.parametrize(
    "other",
    [
        "urn:MACE:egi.eu:group:fedcloud.egi.eu:role=vm_operator#aai.egi.eu",
        "URN:mace:egi.eu:group:fedcloud.egi.eu:role=vm_operator#another.example",
        "urn:mace:egi.eu:group:fedcloud.egi.eu:role=vm_operator",
        "urn:mace:egi.eu:group:fedcloud%2Eegi.eu:role=vm%5Foperator#aai.egi.eu",
    ],
)
def test_case_of_the_namespace_coding_and_authority_make_no_difference(other: str) -> None:
    assert Entitlement.parse(other).key == Entitlement.parse(EGI).key


@pytest.mark.parametrize(
    "other",
    [
        "urn:mace:egi.eu:group:fedcloud.egi.eu#aai.egi.eu",
        "urn:mace:egi.eu:group:fedcloud.egi.eu:role=member#aai.egi.eu",
        "urn:mace:egi.eu:group:Fedcloud.egi.eu:role=vm_operator",
        "urn:mace:egi.eu:group:fedcloud.egi.eu:sub:role=vm_operator",
        "urn:mace:example.org:group:fedcloud.egi.eu:role=vm_operator",
        "urn:geant:egi.eu:group:fedcloud.egi.eu:role=vm_operator",
    ],
)
def test_everything_else_does(other: str) -> None:
    assert Entitlement.parse(other).key != Entitlement.parse(EGI).key


@pytest.mark.parametrize(
    "text",
    [
        "", "urn:mace:egi.eu", "urn:mace:egi.eu:group:", "urn:group:x", "urn::egi.eu:group:x",
        "urn:mace:egi.eu:group:x::y", "urn:mace:egi.eu:group:role=x", "urn:mace:egi.eu:group:%zz",
        "urn:mace:egi.eu:res:storage", "http://egi.eu:group:x", "urn:m\u00e4ce:egi.eu:group:x",
    ],
)  # fmt: skip
def test_what_is_no_group_is_refused(text: str) -> None:
    with pytest.raises(NotAGroupError):
        Entitlement.parse(text)


def test_a_path_of_groups_has_one_way_of_writing() -> None:
    assert group_path(" fedcloud%2eegi.eu:lsst ") == "fedcloud.egi.eu:lsst"
    assert group_path("a%3Ab:c") == group_path("a%3ab:c") == "a%3Ab:c"
