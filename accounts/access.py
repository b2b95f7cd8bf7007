"""Who may see what: each helper returns the object or raises, the same for pages and API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Concatenate, ParamSpec

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme

from accounts.models import Group, GroupQuerySet, Membership, User

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def person(request: HttpRequest) -> User:
    """The registered person who asks; `PermissionDenied` for anybody else."""
    user = request.user
    if isinstance(user, User) and user.is_registered:
        return user
    raise PermissionDenied


def signed_in(view: View[P]) -> View[P]:
    """The view for somebody signed in, approved or not; others are sent to sign in."""

    @wraps(view)
    def checked(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return _to_sign_in(request)
        return view(request, *args, **kwargs)

    return checked


def registered(view: View[P]) -> View[P]:
    """The view for approved people; who still waits is shown the waiting page."""

    @wraps(view)
    def checked(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if isinstance(request.user, User) and not request.user.is_registered:
            return redirect("waiting")
        return view(request, *args, **kwargs)

    return signed_in(checked)


def staff(view: View[P]) -> View[P]:
    """The view for administrators; `PermissionDenied` for other people."""

    @wraps(view)
    def checked(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not person(request).is_staff:
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return registered(checked)


def group_visible_or_404(user: User, name: str, *, at: datetime) -> Group:
    """The group whose page the person may open: as its PI or manager, or as administrator."""
    return _one_or_404(Group.objects.visible_to(user, at=at), name)


def group_of_pi_or_404(user: User, name: str, *, at: datetime) -> Group:
    """The group for which the person decides what leaves the portal: as PI or administrator."""
    return _one_or_404(_of_pi(user, at), name)


def may_share(user: User, group: Group, *, at: datetime) -> bool:
    """Whether the person decides what of the group leaves the portal."""
    return _of_pi(user, at).filter(pk=group.pk).exists()


def group_managed_or_404(user: User, name: str, *, at: datetime) -> Group:
    """The group whose people the person looks after, as PI, manager or administrator."""
    entitled = Group.objects.where(user, may=Membership.Right.MEMBERS, at=at)
    return _one_or_404(Group.objects.all() if user.is_staff else entitled, name)


def chargeable_group_or_404(user: User, name: str, *, at: datetime) -> Group:
    """The group that the person may charge, in whatever role."""
    return _one_or_404(Group.objects.of(user, at=at), name)


def inviting_group_or_404(user: User, name: str, *, at: datetime) -> Group:
    """The group into which the person may invite: as PI, manager with the right, administrator."""
    entitled = Group.objects.where(user, may=Membership.Right.INVITATIONS, at=at)
    return _one_or_404(Group.objects.all() if user.is_staff else entitled, name)


def group_asking_or_404(user: User, name: str, *, at: datetime) -> Group:
    """The group whose requests the person may see: with the right to ask, or as administrator."""
    entitled = Group.objects.where(user, may=Membership.Right.QUOTA, at=at)
    return _one_or_404(Group.objects.all() if user.is_staff else entitled, name)


def local_path(request: HttpRequest, path: str | None) -> str:
    """`path` when it leads to this site, else the home page."""
    is_local = url_has_allowed_host_and_scheme(
        path, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return path if path and is_local else "/"


def _of_pi(user: User, at: datetime) -> GroupQuerySet:
    leading = Membership.objects.valid(at=at).filter(user=user, role=Membership.Role.PI)
    if user.is_staff:
        return Group.objects.visible_to(user, at=at)
    return Group.objects.filter(pk__in=leading.values("group"))


def _one_or_404(groups: GroupQuerySet, name: str) -> Group:
    # PostgreSQL takes no NUL in a string; no name has one.
    group = None if "\0" in name else groups.filter(name=name).first()
    if group is None:
        raise Http404("No such group.")
    return group


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    """The way to the sign-in page and back; a part of a page is replaced by the whole one."""
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204, headers={"HX-Refresh": "true"})
    return redirect_to_login(request.get_full_path())
