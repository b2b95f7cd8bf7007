"""A single-user server that starts in no time: it answers everything with 200.

LAB_DIR gets a file named after the session, with the process id. LAB_EXIT makes it fail at once,
LAB_SLEEP makes it slow.
"""

import os
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import urlsplit


class Lab(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = "\n".join(f"{name}={value}" for name, value in os.environ.items()).encode()
        self.send_response(200)
        self.send_header("X-JupyterHub-Version", os.environ.get("JUPYTERHUB_VERSION", ""))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


if os.environ.get("LAB_EXIT"):
    sys.exit(int(os.environ["LAB_EXIT"]))
Path(os.environ["LAB_DIR"], os.environ["LSP_SESSION"]).write_text(str(os.getpid()))
time.sleep(float(os.environ.get("LAB_SLEEP", 0)))
address = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
HTTPServer((address.hostname or "127.0.0.1", address.port or 0), Lab).serve_forever()
