"""The endpoints of the OpenID provider; what hubs do not need is not offered."""

from django.urls import path
from oauth2_provider.views import ConnectDiscoveryInfoView, JwksInfoView

from accounts.oidc_provider import views

app_name = "oauth2_provider"

urlpatterns = [
    path("authorize", views.authorize, name="authorize"),
    path("token", views.token, name="token"),
    path("revoke", views.revoke, name="revoke-token"),
    path("logout", views.end_session, name="rp-initiated-logout"),
    path("userinfo", views.userinfo, name="user-info"),
    path(
        ".well-known/openid-configuration",
        ConnectDiscoveryInfoView.as_view(),
        name="oidc-connect-discovery-info",
    ),
    path(".well-known/jwks.json", JwksInfoView.as_view(), name="jwks-info"),
]
