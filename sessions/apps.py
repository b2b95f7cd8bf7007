from django.apps import AppConfig


class SessionsConfig(AppConfig):
    name = "sessions"
    verbose_name = "Hubs and sessions"
    # django.contrib.sessions owns the label "sessions".
    label = "hub_sessions"

    def ready(self) -> None:
        from sessions.audit import watch_catalogue, watch_nodes, watch_requests

        watch_catalogue()
        watch_nodes()
        watch_requests()
