"""The part `million` of the benchmark: one client searches and reads a node with a million instances in 20,000 studies.

`prepared_node` fills the node once, through the intake that every edge uses; about 3 GB stay below the folder of the
benchmark. A study that is deleted to be measured is stored again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from bench import dimse_load as dimse
from bench.dimse_sink import Sink
from bench.dimse_wire import Context
from bench.figures import Figure
from bench.load import Connection, Request, get, stow
from bench.measures import JSON, OCTETS
from bench.million_dataset import STUDIES, Study
from bench.million_images import FRAMES, encapsulated_path, native_path, series_path
from bench.million_node import contents, prepared_node
from bench.million_shapes import LOWER_SHAPES, P99_MAX_MS, STUDY_SHAPES, Shape
from bench.servers import Server, start_isocenter_on

SHAPE_SECONDS, SHAPE_COUNT_MIN, WARM_UP_COUNT = 0.7, 200, 10
FEED_ROWS, FEED_PAGE = 1_000_000, 200
FEED_SAMPLE_PAGES = 200
"""Pages whose cost at the beginning of the feed is held against that at its end."""
DELETED = next(number for number in range(15_000, STUDIES) if Study(number).modality == "CT")
FIND_SECONDS = 2.0


def measure_million(folder: Path) -> list[Figure]:
    """Return the figures of a node with a million instances."""
    data_dir = prepared_node(folder)
    with Sink() as sink:
        began = time.perf_counter()
        server = start_isocenter_on(data_dir, sink_port=sink.port)
        started = Figure("million: start of the node", "s", "–")
        started.add(server.name, time.perf_counter() - began)
        try:
            return [
                started,
                *_metadata(server),
                *(figure for shape in (*STUDY_SHAPES, *LOWER_SHAPES) for figure in _search(server, shape)),
                *_find(server),
                *_frames(server),
                *_feed(server),
                *_delete_and_store(server),
                *_sizes(server, data_dir),
            ]
        finally:
            server.stop()


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _ms(server: Server, name: str, value_s: float, at_most: float | None) -> Figure:
    figure = Figure(f"million: {name}", "ms", "–" if at_most is None else f"≤ {at_most:g}", at_most=at_most)
    figure.add(server.name, value_s * 1000)
    return figure


def _times(server: Server, request: Callable[[int], Request], *, count_min: int, seconds: float) -> list[float]:
    """Return how long requests took, one after the other, after a few that do not count."""
    connection = Connection(server.port)
    taken: list[float] = []
    for number in range(WARM_UP_COUNT):
        _take(connection, request(number))
    deadline = time.perf_counter() + seconds
    while len(taken) < count_min or time.perf_counter() < deadline:
        taken.append(_take(connection, request(len(taken))))
    connection.close()
    return taken


def _always(request: Request) -> Callable[[int], Request]:
    return lambda _: request


def _take(connection: Connection, request: Request) -> float:
    answer = connection.request(request)
    if answer.status not in (200, 204):
        raise RuntimeError(f"HTTP {answer.status}")
    return answer.seconds


def _search(server: Server, shape: Shape) -> list[Figure]:
    random = Random(shape.name)  # the same values in every run
    taken = _times(server, lambda _: get(shape.path(random), JSON), count_min=SHAPE_COUNT_MIN, seconds=SHAPE_SECONDS)
    return [
        _ms(server, f"{shape.name}, p50", percentile(taken, 0.5), shape.p50_max_ms),
        _ms(server, f"{shape.name}, p99", percentile(taken, 0.99), P99_MAX_MS),
    ]


def _metadata(server: Server) -> list[Figure]:
    """Measure the metadata of a series of a thousand, first before anything else was asked for."""
    plain = get(f"/v2{series_path()}/metadata", JSON)
    compressed = [piece.replace(b"\r\n\r\n", b"\r\nAccept-Encoding: gzip\r\n\r\n") for piece in plain]
    connection = Connection(server.port)
    first = connection.request(plain)
    first_compressed = connection.request(compressed)
    connection.close()
    later = _times(server, _always(plain), count_min=20, seconds=1.0)
    later_compressed = _times(server, _always(compressed), count_min=20, seconds=1.0)
    size = Figure("million: metadata of 1,000, compressed to", "%", "≤ 10", at_most=10)
    size.add(server.name, 100 * first_compressed.body_bytes / first.body_bytes)
    return [
        _ms(server, "metadata of a series of 1,000, first", first.seconds, 500),
        _ms(server, "metadata of a series of 1,000, after, p50", percentile(later, 0.5), 50),
        _ms(server, "metadata of a series of 1,000, after, p99", percentile(later, 0.99), None),
        _ms(server, "metadata of 1,000, compressed, first", first_compressed.seconds, 500),
        _ms(server, "metadata of 1,000, compressed, after, p50", percentile(later_compressed, 0.5), 50),
        size,
    ]


def _frames(server: Server) -> list[Figure]:
    figures = []
    for kind, path in (("native", native_path()), ("encapsulated", encapsulated_path())):
        for number in (1, FRAMES // 2, FRAMES):
            request = get(f"/v2{path}/frames/{number}", OCTETS)
            taken = _times(server, _always(request), count_min=100, seconds=0.5)
            figures.append(_ms(server, f"{kind} frame {number} of {FRAMES:,}, p50", percentile(taken, 0.5), 5))
    return figures


def _feed(server: Server) -> list[Figure]:
    """Read the feed to its end."""
    connection = Connection(server.port)
    taken: list[float] = []
    rows = 0
    began = time.perf_counter()
    while True:
        path = f"/v2/changefeed?includemetadata=false&limit={FEED_PAGE}&offset={rows}"
        answer = connection.request(get(path, "application/json"), keep_body=True)
        count = answer.body.count(b'"sequence"')
        rows += count
        if count < FEED_PAGE:
            break
        taken.append(answer.seconds)
    elapsed = time.perf_counter() - began
    connection.close()
    if rows < FEED_ROWS:
        raise RuntimeError(f"the feed ended after {rows} rows")
    first, last = taken[:FEED_SAMPLE_PAGES], taken[-FEED_SAMPLE_PAGES:]
    ratio = Figure("million: feed, cost of its last pages by its first", "×", "≤ 1.5", at_most=1.5)
    ratio.add(server.name, percentile(last, 0.5) / percentile(first, 0.5))
    rate = Figure("million: feed read to the end", "rows/s", "–")
    rate.add(server.name, rows / elapsed)
    with_metadata = _times(
        server, lambda number: get(f"/v2/changefeed?limit={FEED_PAGE}&offset={number * 1000}", "application/json"),
        count_min=20, seconds=1.0,
    )  # fmt: skip
    return [
        _ms(server, "feed, page of 200 at the beginning, p50", percentile(first, 0.5), None),
        _ms(server, "feed, page of 200 at the end, p50", percentile(last, 0.5), None),
        ratio,
        rate,
        _ms(server, "feed, page of 200 with metadata, p50", percentile(with_metadata, 0.5), None),
    ]


def _find(server: Server) -> list[Figure]:
    connection = dimse.DimseConnection(
        server.dimse_port, called_ae_title=server.ae_title, contexts=[Context(dimse.STUDY_ROOT_FIND)]
    )
    random, taken = Random(1), []
    deadline = time.perf_counter() + FIND_SECONDS
    while time.perf_counter() < deadline:
        patient_id = Study(random.randrange(STUDIES)).patient_id
        request = connection.find_request(dimse.study_identifier(patient_id=patient_id))
        began = time.perf_counter()
        if not connection.find(request):
            raise RuntimeError("a search by PatientID found nothing")
        taken.append(time.perf_counter() - began)
    request = connection.find_request(dimse.study_identifier())
    began = time.perf_counter()
    count = connection.find(request)
    everything = time.perf_counter() - began
    connection.close()
    return [
        _ms(server, "C-FIND studies by PatientID, p50", percentile(taken, 0.5), 5),
        _ms(server, "C-FIND studies by PatientID, p99", percentile(taken, 0.99), P99_MAX_MS),
        _ms(server, f"C-FIND all {count:,} studies", everything, None),
    ]


def _delete_and_store(server: Server) -> list[Figure]:
    """Delete a study of a hundred instances, and store it again."""
    instances = list(contents(range(DELETED, DELETED + 1)))
    path = f"/v2/studies/{Study(DELETED).study_instance_uid}"
    connection = Connection(server.port)
    deleted = _take(connection, [f"DELETE {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()])
    stored = _take(connection, stow("/v2/studies", instances))
    connection.close()
    rate = Figure(f"million: STOW of {len(instances)} small instances", "/s", "–")
    rate.add(server.name, len(instances) / stored)
    return [_ms(server, f"delete of a study of {len(instances)}", deleted, None), rate]


def _sizes(server: Server, data_dir: Path) -> list[Figure]:
    """Tell what the node takes of memory and disk after all that."""
    found = {
        "memory of the node": server.resident_bytes(),
        "index on disk": (data_dir / "index.sqlite3").stat().st_size,
        "log of the index": (data_dir / "index.sqlite3-wal").stat().st_size,
        "packs on disk": sum(path.stat().st_blocks * 512 for path in (data_dir / "packs").iterdir()),
    }
    figures = []
    for name, size_bytes in found.items():
        figure = Figure(f"million: {name}", "MiB", "–")
        figure.add(server.name, size_bytes / 1024**2)
        figures.append(figure)
    return figures
