"""Where everything listens: as asked for, else as usual, else beside what is taken."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from isocenter.app.hospital.options import ANY_PORT, DEFAULT_PORTS, PortName
from isocenter.domain.errors import Unavailable

HOST = "127.0.0.1"
PORTS_TRIED_MAX = 50
"""Beyond so many taken ones in a row something else is wrong."""


class LinkName(StrEnum):
    """What leads over a line: the listeners of the fault plane."""

    CLOUD = "line-cloud"
    """From the router to the cloud."""
    PACS = "line-pacs"
    """From the router to the PACS."""
    TRANSLATOR = "line-translator"
    """From the PACS to the router; it is cut with the one before."""


@dataclass(frozen=True, slots=True)
class ChosenPorts:
    """Where everything listens, and what is to be told of it."""

    of: Mapping[str, int]
    """By the names of `PortName` and `LinkName`."""
    moved: tuple[str, ...]
    """A sentence for each that is not where it was looked for."""


def choose_ports(wanted: Mapping[PortName, int], remembered: Mapping[str, int]) -> ChosenPorts:
    """Return a free port for each; raises Unavailable where there is none in reach."""
    chosen: dict[str, int] = {}
    moved: list[str] = []
    for name in PortName:
        first = wanted.get(name, DEFAULT_PORTS[name])
        port = _any_port(chosen) if first == ANY_PORT else _first_free(first, chosen)
        chosen[name] = port
        if first not in (ANY_PORT, port):
            moved.append(f"Port {first} is taken; {name} listens on {port} instead.")
    for link in LinkName:
        before = remembered.get(link, ANY_PORT)
        chosen[link] = before if before and before not in chosen.values() and _is_free(before) else _any_port(chosen)
    return ChosenPorts(chosen, tuple(moved))


def _first_free(first: int, chosen: Mapping[str, int]) -> int:
    for port in range(first, min(first + PORTS_TRIED_MAX, 65536)):
        if port not in chosen.values() and port not in _others(first) and _is_free(port):
            return port
    raise Unavailable(f"No port from {first} on is free; choose another one with --port.")


def _others(first: int) -> set[int]:
    """Return the usual ports of the other parts, which one that moves leaves to them."""
    return set(DEFAULT_PORTS.values()) - {first}


def _any_port(chosen: Mapping[str, int]) -> int:
    for _ in range(PORTS_TRIED_MAX):
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port: int = probe.getsockname()[1]
        if port not in chosen.values():
            return port
    raise Unavailable("The system gives no free port.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
