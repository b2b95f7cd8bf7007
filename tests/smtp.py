"""A mail server for tests, to which mails go over a real connection."""

from __future__ import annotations

import socketserver
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage


class MailServer(socketserver.ThreadingTCPServer):
    """Speaks enough of SMTP to take mails; `received` has recipients and content of each.

    `answers` replaces the answer to a command, by its first four letters; `on_mail` is called when
    a mail is complete and not yet acknowledged.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.received: list[tuple[list[str], bytes]] = []
        self.answers: dict[str, str] = {}
        self.on_mail: Callable[[], object] = lambda: None

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def mails(self) -> list[EmailMessage]:
        """What was received, parsed."""
        return [message_from_bytes(content, policy=policy.default) for _, content in self.received]

    @property
    def recipients(self) -> list[str]:
        return [address for to, _ in self.received for address in to]


class Conversation(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        to: list[str] = []
        self._say("220 test")
        for line in self.rfile:
            command = line[:4].upper().decode()
            answer = self.server.answers.get(command, "250 ok")
            if command == "RCPT" and answer.startswith("2"):
                to.append(line.decode().partition("<")[2].partition(">")[0])
            if command == "RSET":
                to = []
            if command == "DATA" and answer.startswith("2"):
                self._say("354 go on")
                self.server.received.append((to, self._content()))
                to = []
                self.server.on_mail()
            self._say("221 bye" if command == "QUIT" else answer)
            if command == "QUIT":
                return

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())

    def _content(self) -> bytes:
        lines = iter(self.rfile.readline, b".\r\n")
        return b"".join(lines)
