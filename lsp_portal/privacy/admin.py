"""Taking the name from accounts, for superusers: read what would be changed, say yes, done."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from accounts.models import User
from lsp_portal.lib import clock
from lsp_portal.lib.admin import second_question
from lsp_portal.privacy import pseudonyms
from sessions.admin.accounts import PersonWithSessionsAdmin

admin.site.unregister(User)
Act = Callable[..., pseudonyms.Done]


@admin.register(User)
class PersonWithPrivacyAdmin(PersonWithSessionsAdmin):
    actions = (*PersonWithSessionsAdmin.actions, "pseudonymise")

    def has_pseudonymise_permission(self, request: HttpRequest) -> bool:
        return cast(User, request.user).is_superuser

    @admin.action(description="Take the name away for good …", permissions=["pseudonymise"])
    def pseudonymise(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        people = list(queryset.order_by("pk")[:2])
        if len(people) != 1:
            self.message_user(request, "Choose one account at a time.", messages.ERROR)
            return None
        [person] = people
        is_meant = "apply" in request.POST
        done = self._done(
            request, person, pseudonyms.pseudonymise if is_meant else pseudonyms.preview
        )
        if done is None:
            return None
        if not is_meant:
            rows = [(person, _words(person, done))]
            return second_question(
                self, request, action="pseudonymise", title="Take the name away for good", rows=rows
            )
        self.message_user(request, f"The account is {User.objects.get(pk=person.pk).username} now.")
        return None

    def _done(self, request: HttpRequest, person: User, act: Act) -> pseudonyms.Done | None:
        try:
            return act(person, by=cast(User, request.user), at=clock.now())
        except ValidationError as error:
            self.message_user(request, error.messages[0], messages.ERROR)
            return None


def _words(person: User, done: pseudonyms.Done) -> str:
    counts = ", ".join(f"{rows:,} {what}" for what, rows in done.items())
    return (
        f"{person.title} ({person.username}) gets a pseudonym everywhere, for good: nothing brings "
        "the name back, and nobody signs in with the account again. All sums stay. What was "
        "exported or stated stays as it was published. Accounts that were merged into this one "
        f"are accounts of their own here. Changed would be: {counts}."
    )
