"""Addresses of periods, quotas and grants."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from quotas.api import views

router = SimpleRouter(trailing_slash=False)
router.register("allocation-periods", views.PeriodViewSet, basename="api-period")
router.register("compute-quotas", views.ComputeQuotaViewSet, basename="api-compute-quota")
router.register("storage-quotas", views.StorageQuotaViewSet, basename="api-storage-quota")
router.register("grants", views.GrantViewSet, basename="api-grant")

urlpatterns = [path("api/v1/", include(router.urls))]
