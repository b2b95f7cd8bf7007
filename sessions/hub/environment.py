"""What a server is told about its session, in environment variables."""

from __future__ import annotations

from django.conf import settings

from sessions.grants import Grant
from sessions.models import Hub
from sessions.session_tokens import session_token


def environment(hub: Hub, grant: Grant) -> dict[str, str]:
    """The variables for the server of a granted session."""
    known = {
        "LSP_SESSION": str(grant.session),
        "LSP_GROUP": grant.group,
        "LSP_HUB": hub.name,
        "LSP_PORTAL": settings.PORTAL_URL,
        "LSP_TOKEN": session_token(hub.name, grant.session),
        "LSP_UID": str(grant.uid),
        "LSP_GID": str(grant.uid),  # everybody's primary group is their own
        "LSP_GIDS": ",".join(map(str, grant.gids)),
        "GIT_AUTHOR_NAME": grant.git_name,
        "GIT_AUTHOR_EMAIL": grant.git_email,
        "GIT_COMMITTER_NAME": grant.git_name,
        "GIT_COMMITTER_EMAIL": grant.git_email,
    }
    return {name: value for name, value in known.items() if value}
