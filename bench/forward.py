"""The part `forward` of the benchmark: C-STORE in, durable, and out again by C-STORE and by STOW-RS to null sinks.

What is only received comes to a channel of such a node too, whose rules send it nowhere, so that the sending alone is
what differs.
"""

from __future__ import annotations

import json
import time
from http.client import HTTPConnection
from pathlib import Path

from bench import dimse_measures as dimse
from bench.dimse_load import Stored
from bench.dimse_sink import AE_TITLE, Sink
from bench.figures import OURS, Figure
from bench.measures import Sets
from bench.servers import PeakMemory, Server, start_router
from bench.stow_sink import StowSink

COUNTS = {"A": 2000, "B": 300}
ASSOCIATIONS = 2
MEMORY_MAX_MIB = 128
POLL_S = 0.02
SHARE = 0.5
"""Of the rate of receipt alone."""
NAMES = {"A": "16 KB", "B": "525 KB CT"}
_CHANNEL = """
[channels.bench]
source = {{ kind = "dimse", listen = "{title}@127.0.0.1:{port}" }}
[[channels.bench.rules]]
name = "all"
{to}
[destinations.pacs]
kind = "dimse"
remote = "{sink}@127.0.0.1:{dimse_port}"
[destinations.cloud]
kind = "dicomweb"
url = "http://127.0.0.1:{stow_port}"
"""


def measure_forward(folder: Path, sets: Sets, runs: int) -> list[Figure]:
    """Measure receipt alone, and with both destinations."""
    figures: list[Figure] = []
    with Sink() as pacs, StowSink() as cloud:
        for name, count in COUNTS.items():
            items = dimse.instances(sets, name, count)
            alone = Figure(f"C-STORE in, {NAMES[name]}, sent nowhere", "/s", "–")
            both = Figure(f"C-STORE in, {NAMES[name]}, out to two sinks", "/s", f"≥ {SHARE} × receipt alone")
            memory = Figure(f"  memory above idle, {NAMES[name]}", "MiB", f"≤ {MEMORY_MAX_MIB}", at_most=MEMORY_MAX_MIB)
            for _ in range(runs):
                alone.add(OURS, _rate(folder, items, pacs, cloud, is_forwarded=False))
                with_memory: list[float] = []
                both.add(OURS, _rate(folder, items, pacs, cloud, is_forwarded=True, memory_mib=with_memory))
                memory.add(OURS, with_memory[0])
            received = alone.median(OURS)
            both.at_least = None if received is None else received * SHARE
            figures += [alone, both, memory]
    return figures


def _rate(
    folder: Path,
    items: list[Stored],
    pacs: Sink,
    cloud: StowSink,
    *,
    is_forwarded: bool,
    memory_mib: list[float] | None = None,
) -> float:
    """Return instances a second, from the first byte until the last is where it goes."""
    to = 'to = ["pacs", "cloud"]' if is_forwarded else 'then = "stop"'
    server = start_router(
        folder / "run",
        lambda title, port: _CHANNEL.format(
            title=title, port=port, to=to, sink=AE_TITLE, dimse_port=pacs.port, stow_port=cloud.port
        ),
    )
    try:
        with PeakMemory(server) as peak:
            began = time.perf_counter()
            dimse.store(server, items, associations=ASSOCIATIONS)
            _wait_settled(server, len(items) * (2 if is_forwarded else 1))
            elapsed = time.perf_counter() - began
        if memory_mib is not None:
            memory_mib.append(peak.above_idle_bytes / 1024**2)
    finally:
        server.stop()
    return len(items) / elapsed


def _wait_settled(server: Server, received: int) -> None:
    while True:
        asking = HTTPConnection("127.0.0.1", server.port)
        asking.request("GET", "/api/router")
        counters = json.loads(asking.getresponse().read())["counters"]
        asking.close()
        if counters["received"] == received and not counters["waiting"]:
            if counters["needs_human"]:
                raise RuntimeError(f"{counters['needs_human']} deliveries need a human")
            return
        time.sleep(POLL_S)
