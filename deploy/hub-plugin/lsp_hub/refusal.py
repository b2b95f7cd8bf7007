"""Say no so that the person reads why on every page, on both lines of JupyterHub."""

import re

from tornado.web import HTTPError

CODE = re.compile(r"[a-z_]{1,40}")  # it becomes the reason phrase of the answer


def refusal(message: str, *, code: str, status: int = 403) -> Exception:
    """An exception to raise from a hook; JupyterHub shows `message` and counts no failure.

    `code` names the kind for the hub's metrics (SpawnException exists from JupyterHub 6 on).
    """
    error = _error(message, code if CODE.fullmatch(code) else "refused", status)
    error.jupyterhub_message = message  # type: ignore[attr-defined]  # JupyterHub's own protocol
    return error


def _error(message: str, code: str, status: int) -> HTTPError:
    try:
        from jupyterhub.spawner import SpawnException
    except ImportError:
        return HTTPError(status, message)
    error: HTTPError = SpawnException(message, reason=code, status_code=status)
    return error
