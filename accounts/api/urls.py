"""Addresses below /api/v1/."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from accounts.api import membership_views, views

router = SimpleRouter(trailing_slash=False)
router.register("users", views.UserViewSet, basename="api-user")
router.register("groups", views.GroupViewSet, basename="api-group")
router.register("memberships", membership_views.MembershipViewSet, basename="api-membership")
router.register("invitations", membership_views.InvitationViewSet, basename="api-invitation")

urlpatterns = [path("me", views.MeView.as_view(), name="api-me"), *router.urls]
