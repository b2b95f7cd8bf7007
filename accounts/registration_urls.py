"""Addresses of coming in: approval, invitations, the policy, guests."""

from django.urls import path

from accounts import policy_pages

urlpatterns = [
    path("account/policy/", policy_pages.policy, name="policy"),
]
