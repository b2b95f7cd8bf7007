"""Where hubs send people to sign in."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.views.decorators.csrf import csrf_exempt
from oauth2_provider import views

from accounts.models import User

View = Callable[[HttpRequest], HttpResponseBase]


class AuthorizationView(views.AuthorizationView):  # type: ignore[misc]  # untyped base
    """Signs approved people in at a client; who waits for approval reads that instead."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        user = request.user
        if isinstance(user, User) and not user.is_registered:
            return self._for_the_unregistered(request)
        answer: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return answer

    def _for_the_unregistered(self, request: HttpRequest) -> HttpResponseBase:
        if "none" not in request.GET.get("prompt", "").split():
            return redirect("waiting")
        self.oauth2_data: dict[str, Any] = {}
        answer: HttpResponseBase = self.handle_no_permission()
        return answer

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """The page that asks for consent; its form ends at the client, which the policy allows."""
        answer: HttpResponse = super().render_to_response(context, **kwargs)
        address = urlsplit(context.get("redirect_uri") or "")
        if address.netloc:
            answer._csp_update = {  # type: ignore[attr-defined]  # read by django-csp
                "form-action": [f"{address.scheme}://{address.netloc}"]
            }
        return answer


def without_nul(view: View) -> View:
    """The view, with 400 for parameters that PostgreSQL cannot look up."""

    @wraps(view)
    def checked(request: HttpRequest) -> HttpResponseBase:
        values = [value for data in (request.GET, request.POST) for value in data.values()]
        if any("\0" in str(value) for value in values):
            return JsonResponse({"error": "invalid_request"}, status=400)
        return view(request)

    return checked


authorize = without_nul(AuthorizationView.as_view())
token = csrf_exempt(without_nul(views.TokenView.as_view()))
revoke = csrf_exempt(without_nul(views.RevokeTokenView.as_view()))
userinfo = csrf_exempt(without_nul(views.UserInfoView.as_view()))
