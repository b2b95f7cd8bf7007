"""Errors of the API as problem documents, as the hub API has them."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpResponse
from rest_framework import exceptions

from accounts.invitations import InvitationError
from accounts.membership_changes import MembershipRefusedError
from lsp_portal.lib.admin import conflict
from lsp_portal.lib.problems import Problem

CODES = {
    400: ("bad_request", "The request cannot be understood"),
    401: ("not_authenticated", "Who asks is not known"),
    403: ("forbidden", "Not allowed"),
    404: ("not_found", "Not found"),
    405: ("method_not_allowed", "Method not allowed"),
    406: ("not_acceptable", "No such format"),
    415: ("unsupported_media_type", "Send JSON"),
}


def answer(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """The answer to a request that failed; None for what is our own mistake."""
    problem = _problem(error)
    if problem is None:
        return None
    return problem.answer()


def invalid(errors: list[dict[str, str]]) -> Problem:
    """A body that has the right form and the wrong content: which field, and what is wrong."""
    first = f"{errors[0]['field']}: {errors[0]['message']}" if errors else "Nothing is right."
    return Problem(400, "invalid", "Something in the request is wrong", first, errors=errors)


def _problem(error: Exception) -> Problem | None:
    match error:
        case Problem():
            return error
        case exceptions.ValidationError():
            return invalid(list(_flat("", error.detail)))
        case ValidationError():
            return invalid(_model_errors(error))
        case exceptions.APIException():
            return _of_status(error.status_code, str(error.detail), _headers(error))
        case MembershipRefusedError() | InvitationError():
            return Problem(error.status, error.code, "This is not possible", str(error))
        case Http404():
            return _of_status(404, "There is no such thing, or you may not see it.", {})
        case PermissionDenied():
            return _of_status(403, str(error) or "You may not do this.", {})
        case _:
            return _of_database(error)


def _of_status(status: int, detail: str, headers: dict[str, str]) -> Problem:
    code, title = CODES.get(status, ("error", "Error"))
    return Problem(status, code, title, detail, headers=headers)


def _of_database(error: Exception) -> Problem | None:
    if isinstance(error, IntegrityError):
        return Problem(409, "conflict", "It contradicts what is stored", conflict(error))
    if isinstance(error, OperationalError | InterfaceError):
        return Problem(
            503,
            "unavailable",
            "The portal cannot reach its database",
            "Nothing was stored. Send the request again later.",
            headers={"Retry-After": "5"},
        )
    return None


def _headers(error: exceptions.APIException) -> dict[str, str]:
    header = getattr(error, "auth_header", None)
    return {"WWW-Authenticate": header} if header else {}


def _model_errors(error: ValidationError) -> list[dict[str, str]]:
    if not hasattr(error, "error_dict"):
        return [{"field": "", "message": message} for message in error.messages]
    return [
        {"field": "" if field == "__all__" else field, "message": message}
        for field, messages in error.message_dict.items()
        for message in messages
    ]


def _flat(field: str, detail: Any) -> list[dict[str, str]]:
    if isinstance(detail, dict):
        found = (_flat(_path(field, str(key)), value) for key, value in detail.items())
    elif isinstance(detail, list):
        found = (_flat(field, value) for value in detail)
    else:
        return [{"field": field, "message": str(detail)}]
    return [entry for entries in found for entry in entries]


def _path(field: str, key: str) -> str:
    key = "" if key == "non_field_errors" else key
    return f"{field}.{key}" if field and key else field or key
