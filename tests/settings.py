"""The portal's settings as the tests want them: a home of their own and the nearest PostgreSQL."""

import atexit
import os
import shutil
import tempfile
from contextlib import suppress

import psycopg2

LOCAL_SERVER = "postgresql://postgres@127.0.0.1:5432/postgres"


def _use_local_server() -> None:
    with suppress(psycopg2.OperationalError):
        psycopg2.connect(LOCAL_SERVER, connect_timeout=2).close()
        os.environ["DATABASE_URL"] = LOCAL_SERVER


for name in (
    "CELERY_BROKER_URL",
    "PORTAL_URL",
    "ALLOWED_HOSTS",
    "DEBUG",
    "OIDC_ISSUER",
    "EMAIL_URL",
    "KUBECONFIG",
    "REGISTRATION",
    "SITE_NAME",
    "SITE_TIME_ZONE",
):
    os.environ.pop(name, None)
os.environ["SECRET_KEY"] = "the-tests-need-a-key-that-everybody-may-know"
if "PORTAL_HOME" not in os.environ:
    os.environ["PORTAL_HOME"] = tempfile.mkdtemp(prefix="lsp-portal-tests-")
    atexit.register(shutil.rmtree, os.environ["PORTAL_HOME"], ignore_errors=True)
if "DATABASE_URL" not in os.environ and "DATABASE_URL_FILE" not in os.environ:
    _use_local_server()

from lsp_portal.settings import *  # noqa: E402, F403 - the environment had to be made first

STORAGES["staticfiles"] = {  # noqa: F405 - live servers serve static files under their plain names
    "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CELERY_TASK_ALWAYS_EAGER = True
CELERY_TASK_EAGER_PROPAGATES = True
