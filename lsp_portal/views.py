"""What belongs to the installation as a whole rather than to one of its parts."""

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from accounts.identity.choice import ways
from lsp_portal.lib import clock
from lsp_portal.lib.problems import Problem
from lsp_portal.models import Service
from lsp_portal.privacy.classes import CLASSES


@require_safe
def landing(request: HttpRequest) -> HttpResponse:
    """The public home page: what the platform is, its services, and the way in."""
    now = clock.now()
    services = Service.objects.filter(is_shown=True)
    cards = [(service, *service.light(at=now)) for service in services]
    words = {"tagline": settings.SITE_TAGLINE, "introduction": settings.SITE_INTRODUCTION}
    found = ways(request, reverse("my_usage"))
    return render(request, "landing.html", {"cards": cards, "ways": found, **words})


@require_safe
def privacy(request: HttpRequest) -> HttpResponse:
    """What is kept, why and for how long, by the settings in force."""
    return render(request, "privacy.html", {"classes": CLASSES})


@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """200 when the portal and its database answer, 503 with a problem document otherwise."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return JsonResponse(
            {
                "code": "database_unavailable",
                "title": "Database unavailable",
                "detail": "The portal runs, but its database does not answer.",
                "status": 503,
            },
            status=503,
            content_type="application/problem+json",
            headers={"Retry-After": "5"},
        )
    return JsonResponse({"status": "ok"})


@csrf_exempt
def no_such_api(request: HttpRequest, rest: str) -> HttpResponse:
    """A program that asks for an address that does not exist is answered as programs expect."""
    return Problem(
        404, "not_found", "There is no such address", "The interface is described at /api/docs/."
    ).answer()
