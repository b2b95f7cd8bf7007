"""How far a person's server is: what the page of one start shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.shortcuts import get_object_or_404

from accounts.models import User
from sessions.driving.showing import server_of, state_of
from sessions.models import Image, Session, Size
from sessions.progress import Step, progress

State = Session.State
TITLES = {
    State.PENDING: "Your server is starting",
    State.READY: "Your server is ready",
    State.STOPPING: "Your server is stopping",
    State.ENDED: "Your server has ended",
    State.FAILED: "Your server did not start",
}
UNKNOWN = "Nobody told why."


@dataclass(frozen=True, slots=True)
class Course:
    """A session with its state now and all its steps so far, in their order."""

    session: Session
    state: Session.State
    steps: list[Step]
    image: str
    size: str

    @property
    def title(self) -> str:
        return TITLES[self.state]

    @property
    def is_moving(self) -> bool:
        """Whether the next step comes by itself: also until nothing is left of a server."""
        server = server_of(self.session)
        is_left = server is not None and server.cleaned_at is None and self.state != State.READY
        return is_left or self.state in (State.PENDING, State.STOPPING)

    @property
    def newest(self) -> str:
        return self.steps[-1].message if self.steps else ""

    @property
    def why(self) -> str:
        """Why there is no server, where something went wrong; empty otherwise."""
        server = server_of(self.session)
        said = server.failure_message if server else ""
        if self.state == State.FAILED:
            return said or self.session.message or UNKNOWN
        return said

    @property
    def seen(self) -> str:
        """Stays the same while nothing happens."""
        return f"{self.state}-{self.steps[-1].seq if self.steps else 0}"


def course_or_404(key: UUID, user: User, *, at: datetime) -> Course:
    """The course of one's own session."""
    mine = Session.objects.filter(user=user).select_related("hub", "group", "driven")
    session = get_object_or_404(mine, key=key)
    return Course(
        session,
        State(state_of(session, at=at)),
        progress(session, at=at),
        image=_title(Image, session.image),
        size=_title(Size, session.size),
    )


def _title(kind: type[Image | Size], name: str) -> str:
    """What people call it; its name where the catalogue does not know it."""
    return kind.objects.filter(name=name).values_list("title", flat=True).first() or name
