"""People, their identities, groups and memberships, and how they come in."""

from accounts.models.changes import Change
from accounts.models.claims import ClaimRule, HeldSync
from accounts.models.groups import Group, GroupQuerySet
from accounts.models.identities import Affiliation, Identity, SignIn
from accounts.models.memberships import Membership, MembershipQuerySet
from accounts.models.notices import Digest, MailState, Notice, NoticeHours, NoticeWay, Topic, Way
from accounts.models.numbers import PosixId
from accounts.models.people import Name, PeopleManager, PeopleQuerySet, User
from accounts.models.registration import Invitation, Policy, PolicyAcceptance, Registration
from accounts.models.tokens import ApiToken, KeptAnswer

__all__ = [
    "Affiliation",
    "ApiToken",
    "Change",
    "ClaimRule",
    "Digest",
    "Group",
    "GroupQuerySet",
    "HeldSync",
    "Identity",
    "Invitation",
    "KeptAnswer",
    "MailState",
    "Membership",
    "MembershipQuerySet",
    "Name",
    "Notice",
    "NoticeHours",
    "NoticeWay",
    "PeopleManager",
    "PeopleQuerySet",
    "Policy",
    "PolicyAcceptance",
    "PosixId",
    "Registration",
    "SignIn",
    "Topic",
    "User",
    "Way",
]
