"""People, groups and sign-in in the administration."""

from accounts.admin.groups import GroupAdmin, MembershipAdmin
from accounts.admin.people import IdentityAdmin, NameAdmin, PersonAdmin
from accounts.admin.sign_in import ApplicationAdmin

__all__ = [
    "ApplicationAdmin",
    "GroupAdmin",
    "IdentityAdmin",
    "MembershipAdmin",
    "NameAdmin",
    "PersonAdmin",
]
