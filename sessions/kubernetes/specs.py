"""What the server of a session shall be in the cluster: from its grant and what the hub asked."""

from __future__ import annotations

from django.conf import settings

from sessions import draining
from sessions.driving.sealing import unseal
from sessions.grants import Grant
from sessions.kubernetes import names
from sessions.kubernetes.configuration import Cluster
from sessions.kubernetes.manifests.server import HomeMount, Placement, ServerSpec
from sessions.models import Server, Size


class NoSpec(Exception):  # noqa: N818 - what is missing
    """The server cannot be described; the text says what is missing, for people."""


def spec_of(server: Server, cluster: Cluster) -> ServerSpec:
    """Raises NoSpec, and SealBroken where the environment cannot be read."""
    session = server.session
    grant = Grant.of(session)
    if grant is None or session.user is None:
        raise NoSpec("The portal does not know whose server this is.")
    if not grant.image_reference:
        raise NoSpec(f"The image {grant.image} has no reference in the portal's catalogue.")
    return ServerSpec(
        session=session.key,
        number=session.number,
        hub=session.hub.name,
        user=session.user_name,
        server=session.server,
        image=grant.image_reference,
        command=tuple(server.command),
        port=server.port,
        resources=grant.resources,
        uid=grant.uid,
        gids=grant.gids,
        home=_home(session.user.username, cluster),
        group=grant.group,
        secret_environment=unseal(bytes(server.sealed)),
        placement=_placement(grant.size),
    )


def _placement(name: str) -> Placement:
    """Where servers of that size run by now; anywhere if it does not exist any more."""
    size = Size.objects.filter(name=name).first()
    avoided = tuple(draining.avoided())
    if size is None:
        return Placement(avoided=avoided)
    tolerations = tuple(size.tolerations)
    return Placement(size.node_selector, tolerations, size.priority_class, avoided)


def _home(user: str, cluster: Cluster) -> HomeMount:
    path = settings.POSIX_HOME.format(name=user)
    if cluster.homes == "directory":
        return HomeMount(path=path, claim=cluster.shared_claim, sub_path=user)
    return HomeMount(path=path, claim=names.home_claim(user), size=settings.HOME_QUOTA_BYTES)
