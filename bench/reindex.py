"""The part `reindex` of the benchmark: stored instances are indexed by a new extended query tag while stores go on.

The same stores are measured before, so that what the reindex takes from them shows.
"""

from __future__ import annotations

import http
import json
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from bench.figures import Figure
from bench.load import Connection, Request, stow
from bench.million_node import BATCH, contents, send, store_all
from bench.servers import Server, start_isocenter_on
from isocenter.app.settings import load_settings
from isocenter.app.wiring import open_archive

STUDIES, STUDIES_MAX = 2000, 20_000
"""100,000 instances that are there, and studies from which others come meanwhile: more than a run can store."""
INSTANCES_PER_REQUEST = 10
QUIET_S = 5.0
POLL_S = 0.05
TIMEOUT_S = 300.0
TAGS = ({"path": "00081010", "level": "Instance"}, {"path": "00380010", "level": "Study"})
"""A row for each instance; and one for each study, which most instances have seen written already."""


def measure_reindex(folder: Path) -> list[Figure]:
    """Return the figures of two reindexes over the same instances."""
    data_dir = folder.resolve() / "reindex"
    shutil.rmtree(data_dir, ignore_errors=True)
    data_dir.mkdir(parents=True)
    with open_archive(load_settings({"data_dir": str(data_dir)}, {}, None)) as archive:
        count = store_all(archive, contents(range(STUDIES)), batch_size=BATCH)
    server = start_isocenter_on(data_dir)
    try:
        return _measure(server, count)
    finally:
        server.stop()
        shutil.rmtree(data_dir, ignore_errors=True)


def _measure(server: Server, count: int) -> list[Figure]:
    quiet = Figure("reindex: STOW beforehand, one client", "/s", "–")
    during = Figure("reindex: STOW meanwhile", "/s", "≥ a third of that")
    rate = Figure("reindex: 100,000 instances by a new tag", "/s", "≥ 5,000", at_least=5000)
    longest = Figure("reindex: longest STOW meanwhile", "ms", "≤ 1,000", at_most=1000)
    requests = _requests()
    with _Storing(server, requests) as storing:
        time.sleep(QUIET_S)
    quiet.add(server.name, storing.per_second)
    for tag in TAGS:
        with _Storing(server, requests) as storing:
            seconds = _reindex(server, tag)
        rate.add(server.name, count / seconds)
        during.add(server.name, storing.per_second)
        longest.add(server.name, 1000 * storing.longest_s)
    during.at_least = (quiet.median(server.name) or 0.0) / 3
    return [rate, quiet, during, longest]


def _requests() -> Iterator[Request]:
    """Yield requests to store what is not there yet."""
    instances = contents(range(STUDIES, STUDIES_MAX))
    while batch := list(islice(instances, INSTANCES_PER_REQUEST)):
        yield stow("/v2/studies", batch)


def _reindex(server: Server, tag: dict[str, str]) -> float:
    """Return how long the reindex of a tag took."""
    began = time.perf_counter()
    operation = json.loads(send(server, "POST", "/v2/extendedquerytags", json.dumps([tag]).encode()))
    while time.perf_counter() - began < TIMEOUT_S:
        found = json.loads(send(server, "GET", f"/v2/operations/{operation['id']}"))
        if found["status"] == "succeeded":
            return time.perf_counter() - began
        if found["status"] == "failed":
            break
        time.sleep(POLL_S)
    raise RuntimeError("the reindex did not end")


@dataclass(slots=True)
class _Storing:
    """A client that stores one request after the other while a block runs."""

    server: Server
    requests: Iterator[Request]
    count: int = 0
    longest_s: float = 0.0
    seconds: float = 0.0
    status: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    @property
    def per_second(self) -> float:
        """Return how many instances were stored in a second."""
        return self.count / self.seconds if self.seconds else 0.0

    def __enter__(self) -> _Storing:
        self._thread = threading.Thread(target=self._store, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        if self.status:
            raise RuntimeError(f"a store was answered with HTTP {self.status}")

    def _store(self) -> None:
        connection = Connection(self.server.port)
        began = time.perf_counter()
        while not self._stop.is_set():
            answer = connection.request(next(self.requests))
            if answer.status != http.HTTPStatus.OK:
                self.status = answer.status
                break
            self.count += INSTANCES_PER_REQUEST
            self.longest_s = max(self.longest_s, answer.seconds)
        self.seconds = time.perf_counter() - began
        connection.close()
