"""Addresses of signing in and out, and of the portal as OpenID provider."""

from django.urls import include, path

from accounts import (
    account_pages,
    claims_pages,
    git_pages,
    history,
    import_pages,
    notice_pages,
    people_pages,
    posix_views,
    token_pages,
    views,
)
from accounts.identity.views import callback, link, sign_in_with

urlpatterns = [
    path("sign-in", views.sign_in, name="login"),
    path("sign-in/<slug:provider>", sign_in_with, name="sign_in_with"),
    path("sign-in/<slug:provider>/callback", callback, name="sign_in_callback"),
    path("sign-out", views.sign_out, name="logout"),
    path("signed-out", views.signed_out, name="signed_out"),
    path("account/", account_pages.account, name="account"),
    path("claim-rules/try/", claims_pages.claim_rules_try, name="claim_rules_try"),
    path("account/affiliation/", account_pages.affiliation, name="account_affiliation"),
    path("account/git/", git_pages.git, name="account_git"),
    path("account/notices/", notice_pages.notices, name="notices"),
    path("account/notices/read", notice_pages.read, name="read_notices"),
    path("account/notices/settings/", notice_pages.preferences, name="notice_settings"),
    path("notices/preview/", notice_pages.preview, name="notices_preview"),
    path("notices/unsubscribe/<str:token>/", notice_pages.unsubscribe, name="unsubscribe"),
    path("account/identities/", account_pages.identities, name="identities"),
    path("account/identities/prove", account_pages.prove, name="prove_identity"),
    path("account/identities/link/<slug:provider>", link, name="link_identity"),
    path("account/identities/<int:number>/unlink", account_pages.unlink, name="unlink_identity"),
    path("groups/<str:name>/people/", people_pages.people, name="group_people"),
    path(
        "groups/<str:name>/people/<int:number>/", people_pages.membership, name="group_membership"
    ),
    path("groups/<str:name>/people/<int:number>/remove", people_pages.remove, name="remove_member"),
    path("groups/<str:name>/history/", history.group_history, name="group_history"),
    path("people/import/", import_pages.import_people, name="import_people"),
    path("people/export/<slug:kind>.csv", import_pages.export_people, name="export_people"),
    path("account/tokens/", token_pages.tokens, name="tokens"),
    path("account/tokens/<int:number>/revoke", token_pages.revoke, name="revoke_token"),
    path("", include("accounts.registration_urls")),
    path("oauth/", include("accounts.oidc_provider.urls")),
    path("api/v1/", include("accounts.api.urls")),
    path("api/v1/posix/passwd", posix_views.passwd, name="posix_passwd"),
    path("api/v1/posix/group", posix_views.group, name="posix_group"),
    path("api/v1/posix/accounts.json", posix_views.accounts, name="posix_accounts"),
]
