"""People, groups and sign-in in the administration."""

from accounts.admin.changes import ChangeAdmin
from accounts.admin.claims import ClaimRuleAdmin, HeldSyncAdmin
from accounts.admin.groups import GroupAdmin, MembershipAdmin
from accounts.admin.notices import DigestAdmin, NoticeAdmin
from accounts.admin.people import IdentityAdmin, NameAdmin, PersonAdmin
from accounts.admin.registration import (
    InvitationAdmin,
    PolicyAcceptanceAdmin,
    PolicyAdmin,
    RegistrationAdmin,
)
from accounts.admin.sign_in import ApplicationAdmin, SignInAdmin
from accounts.admin.tokens import ApiTokenAdmin

__all__ = [
    "ApiTokenAdmin",
    "ApplicationAdmin",
    "ChangeAdmin",
    "ClaimRuleAdmin",
    "DigestAdmin",
    "GroupAdmin",
    "HeldSyncAdmin",
    "IdentityAdmin",
    "InvitationAdmin",
    "MembershipAdmin",
    "NameAdmin",
    "NoticeAdmin",
    "PersonAdmin",
    "PolicyAcceptanceAdmin",
    "PolicyAdmin",
    "RegistrationAdmin",
    "SignInAdmin",
]
