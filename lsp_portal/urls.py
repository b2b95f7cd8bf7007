"""All addresses of the portal."""

from csp.constants import SELF, UNSAFE_INLINE
from csp.decorators import csp_replace
from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from . import styleguide, views
from .metrics.views import metrics
from .privacy.views import OwnDataView, own_data

# Swagger's own page carries one <style>; it shows nothing that a user wrote.
swagger = csp_replace({"style-src": [SELF, UNSAFE_INLINE]})(
    SpectacularSwaggerSplitView.as_view(url_name="api-schema")
)

# Addresses are tried in this order; the hubs' requests are the most.
urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("sessions.urls")),
    path("", views.landing, name="landing"),
    path("", include("accounts.urls")),
    path("", include("quotas.urls")),
    path("", include("accounting.urls")),
    path("admin/", admin.site.urls),
    path("api/v1/me/data", OwnDataView.as_view(), name="api-own-data"),
    path("api/schema/", SpectacularAPIView.as_view(permission_classes=[]), name="api-schema"),
    path("api/docs/", swagger, name="api-docs"),
    path("api/<path:rest>", views.no_such_api),
    path("account/data/", own_data, name="own_data"),
    path("metrics", metrics, name="metrics"),
    path("privacy/", views.privacy, name="privacy"),
    path("healthz", views.health, name="health"),
]

if settings.DEBUG:
    urlpatterns.append(path("styleguide/", styleguide.styleguide, name="styleguide"))
