"""Addresses of coming in: approval, invitations, the policy, guests."""

from django.urls import path

from accounts import (
    approval_pages,
    group_invitation_pages,
    guest_pages,
    invitation_pages,
    policy_pages,
)

urlpatterns = [
    path("waiting", approval_pages.waiting, name="waiting"),
    path("account/policy/", policy_pages.policy, name="policy"),
    path("account/guests/", guest_pages.owned, name="guests"),
    path("account/guests/<slug:username>/prolong", guest_pages.prolong, name="prolong_guest"),
    path("account/guests/<slug:username>/end", guest_pages.end, name="end_guest"),
    path("registrations/", approval_pages.registrations, name="registrations"),
    path("registrations/approve", approval_pages.approve_many, name="approve_many"),
    path("registrations/<slug:username>/", approval_pages.registration, name="registration"),
    path("registrations/<slug:username>/approve", approval_pages.approve, name="approve"),
    path("registrations/<slug:username>/reject", approval_pages.reject, name="reject"),
    path("invitations/<str:secret>/", invitation_pages.invitation, name="invitation"),
    path(
        "groups/<slug:name>/invitations/",
        group_invitation_pages.group_invitations,
        name="group_invitations",
    ),
    path(
        "groups/<slug:name>/invitations/many",
        group_invitation_pages.invite_many,
        name="invite_many",
    ),
    path(
        "groups/<slug:name>/invitations/<int:number>/renew",
        group_invitation_pages.renew_invitation,
        name="renew_invitation",
    ),
    path(
        "groups/<slug:name>/invitations/<int:number>/revoke",
        group_invitation_pages.revoke_invitation,
        name="revoke_invitation",
    ),
]
