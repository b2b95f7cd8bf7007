"""Addresses of the app: the hub API, and what people do with their servers."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from sessions import cluster_pages, repair_pages, views
from sessions.api.cluster import NodeDrainViewSet, NodeViewSet, SizeRoomViewSet
from sessions.api.views import ReattributionViewSet
from sessions.dask import pages as dask_pages
from sessions.dask.api.views import DaskClusterView
from sessions.storage.api.views import StorageSampleViewSet

router = SimpleRouter(trailing_slash=False)
router.register("reattributions", ReattributionViewSet, basename="api-reattribution")
router.register("storage-samples", StorageSampleViewSet, basename="api-storage-sample")

router.register("nodes", NodeViewSet, basename="api-node")
router.register("node-drains", NodeDrainViewSet, basename="api-node-drain")
router.register("size-rooms", SizeRoomViewSet, basename="api-size-room")

urlpatterns = [
    path("api/v1/hubs/<str:hub>/", include("sessions.hub.urls")),
    path("api/v1/", include(router.urls)),
    path(
        "api/v1/sessions/<uuid:session>/dask-cluster",
        DaskClusterView.as_view(),
        name="api-dask-cluster",
    ),
    path("my/start/<str:hub>", views.start_session, name="start_session"),
    path("my/servers/<uuid:key>", views.server, name="server"),
    path("my/servers/<uuid:key>/live", views.server_live, name="server_live"),
    path("my/stop/<uuid:key>", views.stop_session, name="stop_session"),
    path("my/dask/<uuid:key>", dask_pages.dask, name="dask"),
    path("my/dask/<uuid:key>/delete", dask_pages.delete_dask, name="delete_dask"),
    path("overview/repairs/", repair_pages.repairs, name="repairs"),
    path("overview/cluster/", cluster_pages.cluster, name="cluster"),
    path("overview/cluster/<str:node>/drain", cluster_pages.drain_node, name="drain_node"),
    path("overview/cluster/<str:node>/resume", cluster_pages.resume_node, name="resume_node"),
    path("grace/<str:token>", views.quota_grace, name="quota_grace"),
]
