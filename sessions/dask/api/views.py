"""The Dask cluster of a session, for its person and for the server itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

from django.http import Http404
from rest_framework.authentication import SessionAuthentication
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.authentication import TokenAuthentication
from accounts.api.views import reads, writes
from accounts.models import User
from lsp_portal.lib import clock
from lsp_portal.lib.problems import Problem
from sessions.dask import asking, refusals
from sessions.dask.api.authentication import SessionTokenAuthentication
from sessions.dask.api.serializers import DaskClusterSerializer, DaskSizeSerializer
from sessions.dask.refusals import DaskRefused
from sessions.dask.sizes import BadSizeError, DaskSize
from sessions.models import DaskCluster, Session
from sessions.refusals import LaunchRefused

T = TypeVar("T")


class DaskClusterView(APIView):
    """One for each session of one's own that runs; a server reaches that of its session only."""

    authentication_classes = (
        SessionTokenAuthentication,
        TokenAuthentication,
        SessionAuthentication,
    )

    @reads(DaskClusterSerializer)
    def get(self, request: Any, session: UUID) -> Response:
        """How it is. 404 where there is none."""
        cluster = asking.cluster_of(_session(request, session))
        if cluster is None:
            raise _problem(refusals.no_cluster())
        return _answer(cluster)

    @writes(DaskSizeSerializer, DaskClusterSerializer)
    def put(self, request: Any, session: UUID) -> Response:
        """Let there be one of that size: it is made (201), or made larger or smaller (200)."""
        body = DaskSizeSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        found = _session(request, session)
        cluster, is_new = _told(
            lambda: asking.want(found, DaskSize.read(body.validated_data), at=clock.now())
        )
        return _answer(cluster, 201 if is_new else 200)

    @writes(None, DaskClusterSerializer, 202)
    def delete(self, request: Any, session: UUID) -> Response:
        """Let there be none any more; it is gone when a GET says 404."""
        found = _session(request, session)
        return _answer(_told(lambda: asking.end(found, at=clock.now())), 202)


def _session(request: Any, key: UUID) -> Session:
    """The caller's own session of that id. Http404 for anything else."""
    rows = Session.objects.filter(key=key).select_related("hub", "user", "group", "driven")
    if isinstance(request.auth, Session):
        rows = rows.filter(pk=request.auth.pk)
    mine = rows.filter(user=request.user) if isinstance(request.user, User) else rows.none()
    session = mine.order_by("-number").first()
    if session is None:
        raise Http404("No such session.")
    return session


def _answer(cluster: DaskCluster, status: int = 200) -> Response:
    return Response(DaskClusterSerializer(cluster).data, status=status)


def _told(act: Callable[[], T]) -> T:
    """What the act gives. Raises Problem where it is refused."""
    try:
        return act()
    except BadSizeError as error:
        raise _problem(refusals.bad_value(str(error))) from error
    except (DaskRefused, LaunchRefused) as refusal:
        raise _problem(refusal) from refusal


def _problem(refusal: DaskRefused | LaunchRefused) -> Problem:
    return Problem(refusal.status, refusal.code, refusal.title, refusal.detail, **refusal.facts)
