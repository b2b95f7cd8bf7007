"""`lsp-storage`: measure a mount, and print the readings or post them to the portal."""

import argparse
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from lsp_storage.ceph import ceph
from lsp_storage.passes import BusyError, Plan, walked
from lsp_storage.posting import Portal, PortalError, post_all, put
from lsp_storage.quota_reports import XFS_COMMAND, BadReportError, Measured, ext, xfs
from lsp_storage.readings import Reading
from lsp_storage.walk import StoppedError

DONE, FAILED, NOT_DONE_YET = 0, 1, 3
XFS_KINDS = {"user": "u", "group": "g"}


def now() -> datetime:
    """The moment in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; 0 done, 1 failed, 3 not finished in time: run it again."""
    options = _options(arguments)
    try:
        if options.post:
            return _tell(options)
        for reading in _readings(options):
            print(reading.line(), flush=True)  # noqa: T201 - this is the output
    except StoppedError:
        _say(f"The time is over before {options.mount} was counted; run it again to go on.")
        return NOT_DONE_YET
    except (OSError, BadReportError, BusyError, PortalError) as error:
        _say(str(error))
        return FAILED
    except subprocess.SubprocessError as error:
        _say(f"The report could not be made: {error}")
        return FAILED
    return DONE


def _tell(options: argparse.Namespace) -> int:
    """Post what waits from before, then what is found now; each part as soon as it is known."""
    options.spool.mkdir(parents=True, exist_ok=True)
    portal = Portal(options.post, options.token_file.read_text().strip())
    name = f"{now():%Y%m%dT%H%M%SZ}-{options.collector}-{options.kind}"
    stopped = False

    def until_stopped() -> Iterator[Reading]:
        nonlocal stopped
        try:
            yield from _readings(options)
        except StoppedError:
            stopped = True

    number = put(options.spool, until_stopped(), name=name)
    files = post_all(options.spool, portal, say=_say)
    _say(f"{number} readings of {options.mount}; the portal took {files} files.")
    return NOT_DONE_YET if stopped else DONE


def _readings(options: argparse.Namespace) -> Iterable[Reading]:
    measured = Measured(options.kind, options.mount, now())
    match options.collector:
        case "walk":
            plan = Plan(options.root, options.kind, options.mount, options.threads, options.seconds)
            return walked(plan, state=options.state, now=now, say=_say)
        case "ceph":
            return ceph(
                options.root, kind=options.kind, mount=options.mount, taken_at=measured.taken_at
            )
        case "xfs":
            command = XFS_COMMAND.format(kind="p" if options.projects else XFS_KINDS[options.kind])
            return xfs(_output(["xfs_quota", "-x", "-c", command, str(options.root)]), measured)
        case _:
            flag = f"-{XFS_KINDS[options.kind]}"
            report = _output(["repquota", flag, "-n", "-O", "csv", str(options.root)])
            return ext(report, measured)


def _output(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise subprocess.SubprocessError(f"{command[0]}: {done.stderr.strip()[:500]}")
    return done.stdout


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lsp-storage",
        description="Measure who stores how much on a mount. Prints a line of JSON for each owner,"
        " or posts them to LSP Portal.",
    )
    parser.add_argument("collector", choices=("walk", "xfs", "ext", "ceph"))
    parser.add_argument("root", type=Path, help="the mount, or the folder whose folders count")
    parser.add_argument("--kind", choices=("user", "group"), default="user", help="whose they are")
    parser.add_argument("--mount", help="what the portal calls it; default: the root")
    parser.add_argument("--projects", action="store_true", help="xfs: quotas of projects")
    parser.add_argument("--threads", type=int, default=4, help="walk: at once; default: 4")
    parser.add_argument(
        "--seconds", type=float, default=float("inf"), help="walk: stop after so long, to go on"
    )
    parser.add_argument(
        "--state", type=Path, default=Path("lsp-storage.state"), help="walk: what is counted so far"
    )
    parser.add_argument("--post", metavar="URL", help="the portal's address")
    parser.add_argument("--token-file", type=Path, help="the token of a service of the portal")
    parser.add_argument(
        "--spool",
        type=Path,
        default=Path("lsp-storage.spool"),
        help="readings that wait to be posted",
    )
    return parser


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options, checked where several belong together."""
    parser = _parser()
    options = parser.parse_args(arguments)
    options.mount = options.mount or str(options.root)
    if options.post and not options.token_file:
        parser.error("--post needs --token-file")
    if options.threads < 1:
        parser.error("--threads is 1 or more")
    return options


def _say(text: str) -> None:
    with suppress(BrokenPipeError):
        print(text, file=sys.stderr, flush=True)  # noqa: T201 - what happens is for people


if __name__ == "__main__":
    sys.exit(main())
