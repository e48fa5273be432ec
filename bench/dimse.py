"""The part `dimse` of the benchmark: its figures with their targets, server by server in turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from bench import dimse_measures as m
from bench.dimse_load import NotOfferedError
from bench.dimse_sink import Sink
from bench.figures import LIMIT, OURS, Figure
from bench.limits import durable_log
from bench.measures import Sets, batches, load
from bench.servers import Server, start_isocenter, start_orthanc

STORE_A, STORE_B, STORE_C = 2000, 500, 4
STORESCU_COUNTS = {OURS: 1000}
STORESCU_COUNT_OTHERS = 60
"""A server that waits for delayed acknowledgements takes ten a second."""
STUDY_COUNT = 100

Starter = Callable[[Path], Server]


def starters(names: Sequence[str], sink_port: int, *, as_it_comes: bool) -> list[Starter]:
    """Return what starts the servers of these names with their DICOM side on."""
    known: dict[str, Starter] = {
        "isocenter": partial(start_isocenter, sink_port=sink_port),
        "orthanc": partial(start_orthanc, sink_port=sink_port, waits_for_acknowledgements=as_it_comes),
    }
    return [known[name] for name in names]


def measure_dimse(folder: Path, sets: Sets, names: Sequence[str], runs: int) -> list[Figure]:
    """Measure everything over DIMSE: stock storescu against servers as they come, the rest against their best."""
    with Sink() as sink:
        start = starters(names, sink.port, as_it_comes=False)
        return [
            *_storescu(folder, sets, starters(names, sink.port, as_it_comes=True), runs),
            *_lean(folder, sets, start, runs),
            *_large(folder, sets, start, runs),
            *_find(folder, sets, start),
            *_retrieve(folder, sets, start, runs),
        ]


def _storescu(folder: Path, sets: Sets, start: Sequence[Starter], runs: int) -> list[Figure]:
    if not m.has_storescu():
        print("DCMTK is not installed: there are no figures of storescu (apt install dcmtk).")
        return []
    one = Figure("C-STORE A, storescu × 1", "/s", "≥ 500, ≥ 30 × Orthanc", at_least=500, peer_factor=30)
    four = Figure("C-STORE A, storescu × 4", "/s", "–")
    for _ in range(runs):
        for associations, figure in ((1, one), (4, four)):
            for each in start:
                server = each(folder / "run")
                try:
                    count = STORESCU_COUNTS.get(server.name, STORESCU_COUNT_OTHERS * associations)
                    m.measure_storescu(server, m.linked_folders(sets, "A", count, associations), figure)
                finally:
                    server.stop()
    return [one, four]


def _lean(folder: Path, sets: Sets, start: Sequence[Starter], runs: int) -> list[Figure]:
    rows = {
        ("A", 1): Figure("C-STORE A, lean × 1", "/s", "≥ 1,000", at_least=1000),
        ("A", 4): Figure("C-STORE A, lean × 4", "/s", "≥ 2,500", at_least=2500),
        ("B", 1): Figure("C-STORE B, lean × 1", "/s", "–"),
        ("B", 4): Figure("C-STORE B, lean × 4", "/s", "≥ 80 % of log", limit_share=0.8),
    }
    items = {"A": m.instances(sets, "A", STORE_A), "B": m.instances(sets, "B", STORE_B)}
    contents = {"A": sets.contents("A", STORE_A), "B": sets.contents("B", STORE_B)}
    for _ in range(runs):
        for (name, associations), figure in rows.items():
            figure.add(LIMIT, durable_log(folder, batches(contents[name], associations)))
            for each in start:
                server = each(folder / "run")
                try:
                    m.measure_lean(server, items[name], figure, associations=associations)
                finally:
                    server.stop()
    return list(rows.values())


def _large(folder: Path, sets: Sets, start: Sequence[Starter], runs: int) -> list[Figure]:
    items, contents = m.instances(sets, "C", STORE_C), sets.contents("C", STORE_C)
    figures = []
    for associations in (1, 4):
        name = f"C-STORE C, 204 MB, lean × {associations}"
        rate = Figure(name, "MB/s", "≥ 80 % of log", limit_share=0.8)
        memory = Figure(f"{name}: memory above idle", "MiB", "≤ 64", at_most=64)
        figures += [rate, memory]
        for _ in range(runs):
            per_second = durable_log(folder, batches(contents, associations))
            rate.add(LIMIT, per_second * sum(map(len, contents)) / len(contents) / 1e6)
            for each in start:
                server = each(folder / "run")
                try:
                    m.measure_large(server, items, associations=associations, rate=rate, memory=memory)
                finally:
                    server.stop()
    return figures


def _find(folder: Path, sets: Sets, start: Sequence[Starter]) -> list[Figure]:
    rate = Figure("C-FIND study by PatientID of 2,020", "/s", "≥ 1,000", at_least=1000)
    everything = Figure("C-FIND all 2,020 studies", "ms", "–")
    entry = sets.entries("D")[len(sets.entries("D")) // 2]
    for each in start:
        server = each(folder / "run")
        try:
            load(server, sets.contents("A", STORE_A))
            load(server, sets.contents("D"))
            m.measure_find(server, patient_id=entry["pid"], rate=rate, everything=everything)
        except NotOfferedError as error:
            print(f"{server.name} does not offer {error}: its figures of C-FIND are left out.")
        finally:
            server.stop()
    return [rate, everything]


def _retrieve(folder: Path, sets: Sets, start: Sequence[Starter], runs: int) -> list[Figure]:
    words = {"B": "100 CT", "A": "100 small"}
    moved = {name: Figure(f"C-MOVE of {words[name]}", "instances/s", "≥ Orthanc 1.10", peer_factor=1) for name in words}
    got = {name: Figure(f"C-GET of {words[name]}", "instances/s", "≥ Orthanc 1.10", peer_factor=1) for name in words}
    for _ in range(runs):
        for each in start:
            server = each(folder / "run")
            try:
                for name in words:
                    study = sets.entries(name)[0]["study"]
                    load(server, sets.contents(name, STUDY_COUNT))
                    m.measure_move(server, study, moved[name], count=STUDY_COUNT)
                    m.measure_get(server, study, got[name], count=STUDY_COUNT)
            finally:
                server.stop()
    return [*moved.values(), *got.values()]
