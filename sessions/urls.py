"""Addresses of the app: the hub API, and what people do with their servers."""

from django.urls import include, path

from sessions import repair_pages, views

urlpatterns = [
    path("api/v1/hubs/<str:hub>/", include("sessions.hub.urls")),
    path("my/start/<str:hub>", views.start_session, name="start_session"),
    path("my/stop/<uuid:key>", views.stop_session, name="stop_session"),
    path("overview/repairs/", repair_pages.repairs, name="repairs"),
    path("grace/<str:token>", views.quota_grace, name="quota_grace"),
]
