"""`make run` itself: it starts, says where it is, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.demo.layout import HOST, ROOT
from tests.e2e.platform import Platform

pytestmark = pytest.mark.hub


def run(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deploy.demo.run"]
    return subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_end_leaves_no_process_and_a_second_start_keeps_the_data(platform: Platform) -> None:
    credentials = platform.home / "hub" / "credentials.json"
    before = credentials.read_text()
    assert platform.process is not None
    platform.process.send_signal(signal.SIGINT)
    assert platform.process.wait(90) == 0, platform.said()
    assert platform.processes() == []
    assert not (platform.home / "postgres" / "postmaster.pid").exists()
    platform.start()
    assert credentials.read_text() == before
    [(people,)] = platform.rows("SELECT count(*) FROM accounts_user WHERE username = 'bob'")
    assert people == 1


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    platform = Platform(tmp_path / "home")
    with socket.create_server((HOST, 0)) as other:
        port = str(other.getsockname()[1])
        done = run(platform.environment() | {"IDP_PORT": port})
    assert done.returncode == 1
    assert f"Port {port} is taken. Set IDP_PORT" in done.stderr


@pytest.mark.parametrize("port", ["eighty", "80", "70000", "-1"])
def test_a_port_that_cannot_be_is_named(tmp_path: Path, port: str) -> None:
    platform = Platform(tmp_path / "home")
    done = run(platform.environment() | {"PORTAL_PORT": port})
    assert done.returncode == 1
    assert "PORTAL_PORT must be a port" in done.stderr


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ({"MODE": "driv"}, "MODE must be observe or drive, not 'driv'."),
        ({"MODE": "drive", "KUBECONFIG": "/nowhere"}, "KUBECONFIG names no file that can be read"),
        ({"MODE": "drive", "KUBECONFIG": __file__}, "HUB_ADDRESS must be the IPv4 address"),
        (
            {"MODE": "drive", "KUBECONFIG": __file__, "HUB_ADDRESS": HOST},
            "not '127.0.0.1': servers ask the hub there",
        ),
    ],
)
def test_what_drive_mode_lacks_is_said_before_anything_starts(
    tmp_path: Path, wanted: dict[str, str], text: str
) -> None:
    done = run(Platform(tmp_path / "home", **wanted).environment())
    assert done.returncode == 1
    assert text in done.stderr
    assert not (tmp_path / "home" / "log").exists()


def test_a_second_run_in_the_same_home_is_refused(platform: Platform) -> None:
    done = run(platform.environment())
    assert done.returncode == 1
    assert "Another run uses" in done.stderr
    assert platform.is_up(f"{platform.portal_url}/healthz")


def test_the_demo_secrets_are_no_others_business(platform: Platform) -> None:
    for name in ("secret_key", "oidc_key.pem", "hub/credentials.json", "hub/outbox.sqlite"):
        assert (platform.home / name).stat().st_mode & 0o077 == 0, name
    assert os.listdir(platform.home / "log")
