"""What is measured: store, retrieve, render, metadata and search, each the same for every server."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.figures import LIMIT, OURS, Figure
from bench.limits import durable_log
from bench.load import Answer, Connection, Request, get, stow
from bench.servers import PeakMemory, Server

JSON = "application/dicom+json"
DICOM = 'multipart/related; type="application/dicom"; transfer-syntax=*'
OCTETS = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'
INSTANCES_PER_REQUEST = 50


@dataclass(frozen=True, slots=True)
class Sets:
    """The generated sets on disk."""

    folder: Path

    def entries(self, name: str) -> list[dict[str, str]]:
        """Return the list of a set."""
        found: list[dict[str, str]] = json.loads((self.folder / "data" / f"{name}.json").read_text())
        return found

    def contents(self, name: str, limit: int | None = None) -> list[bytes]:
        """Return the instances of a set."""
        return [(self.folder / "data" / entry["path"]).read_bytes() for entry in self.entries(name)[:limit]]


def batches(items: Sequence[bytes], size: int) -> list[Sequence[bytes]]:
    """Return items in runs of one size."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def drive(server: Server, requests: Sequence[Request], *, accept: Sequence[int] = (200, 202)) -> float:
    """Send requests one after the other; return the seconds they took."""
    connection = Connection(server.port)
    began = time.perf_counter()
    for request in requests:
        _check(connection.request(request), accept)
    elapsed = time.perf_counter() - began
    connection.close()
    return elapsed


def repeat(server: Server, request: Request, *, seconds: float, count_min: int = 3) -> list[Answer]:
    """Send one request again and again for some seconds."""
    connection = Connection(server.port)
    answers: list[Answer] = []
    deadline = time.perf_counter() + seconds
    while len(answers) < count_min or time.perf_counter() < deadline:
        answers.append(_check(connection.request(request)))
    connection.close()
    return answers


def once(server: Server, request: Request) -> Answer:
    """Send one request on a connection of its own."""
    connection = Connection(server.port)
    answer = _check(connection.request(request))
    connection.close()
    return answer


def _check(answer: Answer, accept: Sequence[int] = (200, 202)) -> Answer:
    if answer.status not in accept:
        raise RuntimeError(f"HTTP {answer.status}")
    return answer


def load(server: Server, contents: Iterator[bytes] | Sequence[bytes], per_request: int = INSTANCES_PER_REQUEST) -> None:
    """Store instances in requests of several."""
    drive(server, [stow(f"{server.root}/studies", batch) for batch in batches(list(contents), per_request)])


def measure_store(server: Server, contents: Sequence[bytes], figure: Figure, per_request: int) -> None:
    """Record instances a second through STOW, one client."""
    requests = [stow(f"{server.root}/studies", batch) for batch in batches(contents, per_request)]
    figure.add(server.name, len(contents) / drive(server, requests))


def measure_log(folder: Path, contents: Sequence[bytes], figure: Figure) -> None:
    """Record what the disk allows for the same bytes in the same batches."""
    figure.add(LIMIT, durable_log(folder, batches(contents, INSTANCES_PER_REQUEST)))


def measure_large(server: Server, contents: Sequence[bytes], memory: Figure, rate: Figure) -> None:
    """Record memory above idle, and MB/s, while large instances are stored one by one."""
    with PeakMemory(server) as peak:
        elapsed = drive(server, [stow(f"{server.root}/studies", [content]) for content in contents])
    memory.add(server.name, peak.above_idle_bytes / 1024**2)
    rate.add(server.name, sum(map(len, contents)) / elapsed / 1e6)


Summary = Callable[[Sequence[Answer]], float]


def per_second(answers: Sequence[Answer]) -> float:
    """Return answers a second."""
    return len(answers) / sum(answer.seconds for answer in answers)


def megabytes_per_second(answers: Sequence[Answer]) -> float:
    """Return megabytes a second."""
    return sum(answer.body_bytes for answer in answers) / sum(answer.seconds for answer in answers) / 1e6


def median_ms(answers: Sequence[Answer]) -> float:
    """Return the median time of an answer in milliseconds."""
    ordered = sorted(answer.seconds for answer in answers)
    return ordered[len(ordered) // 2] * 1000


def measure_get(
    server: Server, path: str, accept: str, figure: Figure, summary: Summary, *, seconds: float = 2.0
) -> None:
    """Record a figure of one resource asked for again and again."""
    figure.add(server.name, summary(repeat(server, get(server.root + path, accept), seconds=seconds)))


def measure_first(server: Server, path: str, accept: str, figure: Figure) -> None:
    """Record the milliseconds of a resource that was never asked for before."""
    figure.add(server.name, once(server, get(server.root + path, accept)).seconds * 1000)


def is_ours(server: Server) -> bool:
    """Tell whether a server is isocenter."""
    return server.name == OURS
