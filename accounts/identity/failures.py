"""Why a sign-in failed, in words for the person who tried."""

from __future__ import annotations

from accounts.models import User


class SignInFailedError(Exception):
    """A sign-in that cannot be finished.

    `code` is for logs and the record, the text for the person, `detail` for administrators.
    """

    def __init__(
        self,
        code: str,
        text: str,
        *,
        status: int = 400,
        detail: str = "",
        user: User | None = None,
    ) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.status = status
        self.detail = detail
        self.user = user


class AccountSwitchedOffError(SignInFailedError):
    def __init__(self, user: User) -> None:
        text = "This account was switched off by the people who run this site."
        if user.merged_into is not None:
            text = f"This account was merged into “{user.merged_into.username}”. Use that one."
        super().__init__("inactive", text, status=403, user=user)


class AccountExpiredError(SignInFailedError):
    def __init__(self, user: User) -> None:
        text = (
            f"This account ended on {user.expires_at:%d %B %Y}. Ask the people who run this site, "
            "or who answers for the account, to prolong it."
        )
        super().__init__("expired", text, status=403, user=user)
