"""Addresses of the hub API below /api/v1/hubs/{hub}/."""

from django.urls import path

from sessions.hub import views_events, views_launch

urlpatterns = [
    path("events", views_events.events, name="hub-events"),
    path("launch-options", views_launch.options, name="hub-launch-options"),
    path("sessions", views_launch.sessions, name="hub-sessions"),
    path("sessions/<str:session>", views_launch.session, name="hub-session"),
    path("sessions/<str:session>/server", views_launch.server, name="hub-server"),
]
