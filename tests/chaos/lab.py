"""A single-user server of a few megabytes that keeps a diary of the truth.

LAB_DIR gets a file named after the session: who, which process, when it began to answer and when it
was told to end. A server whose name begins with `broken` ends at once. It imports little, to start
fast.
"""

import os
import signal
import socket
import sys
import time
from typing import NoReturn

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


def main() -> NoReturn:
    name = os.environ.get("JUPYTERHUB_SERVER_NAME", "")
    if name.startswith("broken"):
        sys.exit(3)
    port = int(os.environ["JUPYTERHUB_SERVICE_URL"].split(":")[2].split("/")[0])
    listener = socket.create_server(("127.0.0.1", port))
    place = f"{os.environ['JUPYTERHUB_USER']}/{name}"
    write(f"{place} {os.getpid()} began {time.time():.3f}\n")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    while True:
        visitor, _ = listener.accept()
        with visitor:
            visitor.settimeout(2)
            answer(visitor)


def answer(visitor: socket.socket) -> None:
    try:
        visitor.recv(65536)
        visitor.sendall(ANSWER)
    except OSError:  # the hub was killed, or looked elsewhere
        return


def end(number: int, frame: object) -> NoReturn:
    write(f"ended {time.time():.3f}\n")
    os._exit(0)


def write(line: str) -> None:
    file = f"{os.environ['LAB_DIR']}/{os.environ['LSP_SESSION']}"
    with open(file, "a") as diary:  # pathlib takes as long as all the rest
        diary.write(line)


main()
