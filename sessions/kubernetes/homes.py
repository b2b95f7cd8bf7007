"""Where a person's home is: decided once, kept in the database, looked up ever after."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings

from accounts.models import User
from quotas.models import HomeQuota
from sessions.kubernetes import names
from sessions.kubernetes.configuration import Cluster
from sessions.kubernetes.manifests.spec import HomeMount
from sessions.models import Home, Server


class HomeElsewhere(Exception):  # noqa: N818 - where it is
    """The home is where servers do not run; the text says where, for people."""


def home_of(user: User, cluster: Cluster, *, at: datetime) -> Home:
    """The person's home, decided now if there is none; of two who decide at once one does.

    Raises HomeElsewhere where servers of the present settings cannot mount it.
    """
    home, _ = Home.objects.get_or_create(user=user, defaults=_new(user, cluster, at))
    if not _is_here(home, cluster):
        raise HomeElsewhere(
            f"The home of {user} is in the namespace {home.namespace} of the cluster, and servers "
            f"run in {cluster.namespace}{'-…' if cluster.is_per_user else ''}."
        )
    return home


def mount(home: Home) -> HomeMount:
    """The home as a server has it: at the place that file servers and other machines call it."""
    path = settings.POSIX_HOME.format(name=home.user.username)
    return HomeMount(path, home.claim, sub_path=home.directory, size=home.size_bytes)


def note_full(server: Server, *, at: datetime) -> None:
    """A server found the home full."""
    Home.objects.filter(user=server.session.user_id).update(full_at=at)


def note_room(server: Server, *, at: datetime) -> None:
    """A server began that found room, or a rescue session, after which nobody knows."""
    known = Home.objects.filter(user=server.session.user_id)
    if server.session.is_rescue:
        known.update(rescued_at=at)
    else:
        known.update(full_at=None)


def _new(user: User, cluster: Cluster, at: datetime) -> dict[str, object]:
    if cluster.homes == "directory":
        place: dict[str, object] = {"claim": cluster.shared_claim, "directory": user.username}
    else:
        size = HomeQuota.objects.limit_of(user, at=at)
        place = {"claim": names.home_claim(user.username, user.uid), "size_bytes": max(size, 1)}
    return {"namespace": names.namespace(cluster, user.username), "created_at": at, **place}


def _is_here(home: Home, cluster: Cluster) -> bool:
    if cluster.is_per_user:
        return home.namespace.startswith(f"{cluster.namespace}-")
    return home.namespace == cluster.namespace
