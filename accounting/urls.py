"""Addresses of the pages on usage."""

from django.urls import path

from accounting import (
    group_statement_pages,
    member_pages,
    reattribution_pages,
    report_pages,
    request_pages,
    session_pages,
    statement_pages,
    storage_pages,
    views,
)
from accounting.api import report_views as report_api
from accounting.api import statement_views as statement_api
from accounting.api import views as api

urlpatterns = [
    path("my/", views.my_usage, name="my_usage"),
    path("my/live", views.my_live, name="my_live"),
    path("my/sessions.csv", views.my_sessions_csv, name="my_sessions_csv"),
    path("my/storage/", storage_pages.my_storage, name="my_storage"),
    path("my/storage.csv", storage_pages.my_storage_csv, name="my_storage_csv"),
    path("sessions/", session_pages.listed, name="sessions"),
    path("sessions/list.csv", session_pages.listed_csv, name="sessions_csv"),
    path("sessions/<int:number>/", session_pages.detail, name="session"),
    path("sessions/<int:number>/move/", reattribution_pages.ask, name="ask_reattribution"),
    path("requests/", reattribution_pages.my_requests, name="my_requests"),
    path("requests/sessions/<int:number>/", reattribution_pages.detail, name="reattribution"),
    path("groups/", views.groups, name="groups"),
    path("groups/<str:name>/", views.group, name="group"),
    path("groups/<str:name>/live", views.group_live, name="group_live"),
    path("groups/<str:name>/members.csv", views.group_members_csv, name="group_members_csv"),
    path("groups/<str:name>/days.csv", views.group_days_csv, name="group_days_csv"),
    path("groups/<str:name>/sessions.csv", views.group_sessions_csv, name="group_sessions_csv"),
    path(
        "groups/<str:name>/statement/",
        group_statement_pages.group_statement,
        name="group_statement",
    ),
    path(
        "groups/<str:name>/statement.<str:kind>",
        group_statement_pages.group_statement_file,
        name="group_statement_file",
    ),
    path("groups/<str:name>/storage/", storage_pages.group_storage, name="group_storage"),
    path(
        "groups/<str:name>/storage.csv", storage_pages.group_storage_csv, name="group_storage_csv"
    ),
    path("groups/<str:name>/what-if/", views.group_what_if, name="group_what_if"),
    path("groups/<str:name>/requests/", request_pages.group_requests, name="group_requests"),
    path("groups/<str:name>/requests/ask/", request_pages.ask, name="ask_quota"),
    path("groups/<str:name>/requests/<int:number>/", request_pages.detail, name="quota_request"),
    path("quota-requests/", request_pages.queue, name="quota_requests"),
    path("overview/", views.service_overview, name="overview"),
    path("overview/groups.csv", views.usage_by_group_csv, name="usage_by_group_csv"),
    path("overview/users.csv", views.usage_by_user_csv, name="usage_by_user_csv"),
    path("overview/storage/", storage_pages.storage_overview, name="storage_overview"),
    path("overview/replay/", views.policy_replay, name="policy_replay"),
    path("overview/replay.csv", views.policy_replay_csv, name="policy_replay_csv"),
    path("overview/unattributed.csv", views.unattributed_csv, name="unattributed_csv"),
    path("reports/", report_pages.reports, name="reports"),
    path("reports/usage.csv", report_pages.report_csv, name="report_csv"),
    path("reports/usage.ods", report_pages.report_ods, name="report_ods"),
    path("reports/members/", member_pages.report_members, name="report_members"),
    path("reports/members.csv", member_pages.report_members_csv, name="report_members_csv"),
    path("reports/members.ods", member_pages.report_members_ods, name="report_members_ods"),
    path("statements/", statement_pages.statement_list, name="statements"),
    path("statements/<int:number>/", statement_pages.statement, name="statement"),
    path("statements/<int:number>.csv", statement_pages.statement_csv, name="statement_csv"),
    path("statements/<int:number>.ods", statement_pages.statement_ods, name="statement_ods"),
    path(
        "statements/verify/<str:token>/",
        group_statement_pages.verify_statement,
        name="verify_statement",
    ),
    path("api/v1/statements", statement_api.StatementsView.as_view(), name="api-statements"),
    path(
        "api/v1/statements/<int:number>",
        statement_api.StatementView.as_view(),
        name="api-statement",
    ),
    path(
        "api/v1/groups/<slug:name>/statement",
        statement_api.GroupStatementView.as_view(),
        name="api-group-statement",
    ),
    path("api/v1/usage", api.UsageView.as_view(), name="api-usage"),
    path("api/v1/reports", report_api.ReportView.as_view(), name="api-reports"),
    path("api/v1/reports/members", report_api.MembersView.as_view(), name="api-reports-members"),
    path("api/v1/groups/<slug:name>/forecast", api.ForecastView.as_view(), name="api-forecast"),
]
