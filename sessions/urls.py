"""Addresses of the app: the hub API, and what people do with their servers."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from sessions import repair_pages, views
from sessions.api.views import ReattributionViewSet
from sessions.storage.api.views import StorageSampleViewSet

router = SimpleRouter(trailing_slash=False)
router.register("reattributions", ReattributionViewSet, basename="api-reattribution")
router.register("storage-samples", StorageSampleViewSet, basename="api-storage-sample")

urlpatterns = [
    path("api/v1/hubs/<str:hub>/", include("sessions.hub.urls")),
    path("api/v1/", include(router.urls)),
    path("my/start/<str:hub>", views.start_session, name="start_session"),
    path("my/servers/<uuid:key>", views.server, name="server"),
    path("my/servers/<uuid:key>/live", views.server_live, name="server_live"),
    path("my/stop/<uuid:key>", views.stop_session, name="stop_session"),
    path("overview/repairs/", repair_pages.repairs, name="repairs"),
    path("grace/<str:token>", views.quota_grace, name="quota_grace"),
]
