"""Where hubs send people to sign in."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from django.contrib.auth import logout
from django.core.exceptions import ObjectDoesNotExist
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.views.decorators.csrf import csrf_exempt
from oauth2_provider import views
from oauth2_provider.exceptions import InvalidOIDCClientError

from accounts.models import User
from accounts.oidc_provider.clients import end_logins

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
        return _ending_at(context.get("redirect_uri") or "", answer)


class LogoutView(views.RPInitiatedLogoutView):  # type: ignore[misc]  # untyped base
    """Where hubs and other clients send people who sign out there: asks whether to do so here.

    Nothing happens without the person's yes, so no link of another site can sign anybody out.
    """

    def get_request_application(self, id_token: Any, client_id: str | None) -> Any:
        try:
            return super().get_request_application(id_token, client_id)
        except ObjectDoesNotExist as error:
            raise InvalidOIDCClientError from error

    def do_logout(
        self,
        application: Any = None,
        post_logout_redirect_uri: str | None = None,
        state: str | None = None,
        token_user: Any = None,
    ) -> HttpResponseBase:
        if isinstance(self.request.user, User):
            end_logins(self.request.user)
        if not post_logout_redirect_uri:
            logout(self.request)
            return redirect("signed_out")
        answer: HttpResponseBase = super().do_logout(
            application, post_logout_redirect_uri, state, token_user
        )
        return answer

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """The question; its form may end at the client. An error needs no redirect."""
        answer: HttpResponse = super().render_to_response(context, **kwargs)
        return _ending_at(self.oidc_data.get("post_logout_redirect_uri") or "", answer)


def _ending_at(address: str, answer: HttpResponse) -> HttpResponse:
    """The page with a form that leads to another site in the end."""
    parts = urlsplit(address)
    if parts.netloc:
        answer._csp_update = {  # type: ignore[attr-defined]  # read by django-csp
            "form-action": [f"{parts.scheme}://{parts.netloc}"]
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
end_session = without_nul(LogoutView.as_view())
userinfo = csrf_exempt(without_nul(views.UserInfoView.as_view()))
