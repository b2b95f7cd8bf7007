"""What is the same at every installation, by kind of provider; an entry's own fields win."""

from __future__ import annotations

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    "oidc": {},
    "egi": {
        "title": "EGI Check-in",
        "issuer": "https://aai.egi.eu/auth/realms/egi",
        "scopes": "openid profile email voperson_id eduperson_entitlement"
        " eduperson_scoped_affiliation",
        "subject_claim": "voperson_id",  # names and addresses are not unique there
        "affiliation_claims": ("eduperson_scoped_affiliation", "voperson_external_affiliation"),
        "entitlement_claims": ("eduperson_entitlement", "entitlements"),
        "groups_claim": "",
    },
    "cilogon": {
        "title": "CILogon",
        "issuer": "https://cilogon.org",
        "scopes": "openid profile email org.cilogon.userinfo",
        "affiliation_claims": ("affiliation", "eduperson_scoped_affiliation"),
        "groups_claim": "isMemberOf",
    },
    "keycloak": {"groups_claim": "groups"},
    "github": {
        "title": "GitHub",
        "issuer": "https://github.com",
        "api_url": "https://api.github.com",
        "scopes": "read:user user:email read:org",
        "subject_claim": "id",  # people may change their login
        "affiliation_claims": (),
        "entitlement_claims": (),
        "groups_claim": "",
    },
}
