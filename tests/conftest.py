"""What holds for every test: no connection beyond loopback, and missing real parts are named at the end."""

from __future__ import annotations

import ipaddress
import sys
from typing import TYPE_CHECKING

import pytest
import structlog
from hypothesis import settings

from tests.support.peers import MISSING_PREFIX

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

_LOCAL_NAMES = frozenset({"", "localhost", "ip6-localhost", "0.0.0.0", "::"})


class BeyondLoopbackError(Exception):
    """A test tried to reach another machine."""


def _is_loopback(host: object) -> bool:
    if not isinstance(host, (str, bytes)):
        return host is None
    name = host.decode() if isinstance(host, bytes) else host
    if name in _LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(name.split("%", 1)[0]).is_loopback
    except ValueError:
        return False


def _refuse_beyond_loopback(event: str, args: tuple[object, ...]) -> None:
    """Audit hook: a hook cannot be bypassed by a library that keeps its own reference to `socket.connect`."""
    if event in {"socket.connect", "socket.sendto"}:
        address = args[1]
        if isinstance(address, tuple) and not _is_loopback(address[0]):
            raise BeyondLoopbackError(f"tests may connect to loopback only, not to {address[0]}")
    elif event == "socket.getaddrinfo" and not _is_loopback(args[0]):
        raise BeyondLoopbackError(f"tests may resolve loopback names only, not {args[0]!r}")


def pytest_configure(config: pytest.Config) -> None:
    """Fence the network off for the life of this process, and let examples of hypothesis take their time."""
    sys.addaudithook(_refuse_beyond_loopback)
    # How long an example takes depends on what else the machine does; each test has its time limit.
    settings.register_profile("without deadline", deadline=None)
    settings.load_profile("without deadline")


@pytest.fixture(autouse=True)
def _logging_as_it_comes() -> None:
    """Let no test see the level of logging that a command, run in this process by another one, has set."""
    structlog.reset_defaults()


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Say at the end which real parts were missing, so that a green run cannot hide them."""
    reasons: dict[str, int] = {}
    for report in terminalreporter.stats.get("skipped", []):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        if MISSING_PREFIX in reason:
            part = reason.split(MISSING_PREFIX, 1)[1]
            reasons[part] = reasons.get(part, 0) + 1
    if reasons:
        terminalreporter.section("NOT TESTED: real parts are missing", yellow=True, bold=True)
        for part, count in sorted(reasons.items()):
            terminalreporter.line(f"{count:5} tests  {part}", yellow=True)
