"""What the server of a session shall be in the cluster: from its grant and what the hub asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from django.conf import settings

from accounts.models import User
from quotas.vocabulary import Resources
from sessions import draining
from sessions.driving.sealing import unseal
from sessions.grants import Grant
from sessions.kubernetes import names
from sessions.kubernetes.configuration import Cluster
from sessions.kubernetes.homes import HomeElsewhere, home_of, mount
from sessions.kubernetes.manifests.dask import DaskSpec
from sessions.kubernetes.manifests.server import Placement, ServerSpec
from sessions.models import DaskCluster, Home, Server, Size


class NoSpec(Exception):  # noqa: N818 - what is missing
    """The server cannot be described; the text says what is missing, for people."""


def spec_of(server: Server, cluster: Cluster) -> ServerSpec:
    """What the server is; a person without a home gets one. Raises NoSpec, and SealBroken where
    the environment cannot be read.
    """
    known = _known(server, cluster)
    environment = unseal(bytes(server.sealed))
    return replace(known, command=tuple(server.command), secret_environment=environment)


def dask_spec_of(row: DaskCluster, cluster: Cluster) -> DaskSpec:
    """What the Dask cluster shall be: like its notebook, anywhere. Raises NoSpec."""
    notebook = _known(row.session.driven, cluster)
    placement = replace(notebook.placement, node_selector={}, tolerations=())
    return DaskSpec(
        key=row.key,
        name=row.name or names.dask_name(row.session.key, row.key),
        notebook=replace(notebook, placement=placement),
        workers=row.workers,
        resources=Resources(row.cpu_millicores, row.memory_mib),
        idle_seconds=row.idle_seconds,
        minimum=row.minimum,
        maximum=row.maximum,
    )


def _known(server: Server, cluster: Cluster) -> ServerSpec:
    """All but what it runs and its secrets."""
    session = server.session
    grant = Grant.of(session)
    if grant is None or session.user is None:
        raise NoSpec("The portal does not know whose server this is.")
    if not grant.image_reference:
        raise NoSpec(f"The image {grant.image} has no reference in the portal's catalogue.")
    home = _home(session.user, cluster, at=server.asked_at)
    return ServerSpec(
        session=session.key,
        number=session.number,
        hub=session.hub.name,
        namespace=home.namespace,
        user=session.user_name,
        server=session.server,
        image=grant.image_reference,
        command=(),
        port=server.port,
        resources=grant.resources,
        uid=grant.uid,
        gids=grant.gids,
        home=mount(home),
        group=grant.group,
        rescue_seconds=settings.RESCUE_MINUTES * 60 if session.is_rescue else 0,
        placement=_placement(grant.size),
    )


def _home(user: User, cluster: Cluster, *, at: datetime) -> Home:
    try:
        return home_of(user, cluster, at=at)
    except HomeElsewhere as error:
        raise NoSpec(str(error)) from error


def _placement(name: str) -> Placement:
    """Where servers of that size run by now; anywhere if it does not exist any more."""
    size = Size.objects.filter(name=name).first()
    avoided = tuple(draining.avoided())
    if size is None:
        return Placement(avoided=avoided)
    tolerations = tuple(size.tolerations)
    return Placement(size.node_selector, tolerations, size.priority_class, avoided)
