"""Why a sign-in failed, in words for the person who tried."""

from __future__ import annotations


class SignInFailedError(Exception):
    """A sign-in that cannot be finished; `code` is for logs, the text for the person."""

    def __init__(self, code: str, text: str, *, status: int = 400) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.status = status


class AccountSwitchedOffError(SignInFailedError):
    def __init__(self) -> None:
        super().__init__(
            "inactive", "This account was switched off by the people who run this site.", status=403
        )
