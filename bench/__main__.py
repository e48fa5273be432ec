"""Run the benchmark and print its table.

python -m bench [--runs 3] [--quick] [--only PARTS] [--servers NAMES] [--json FILE] [--folder DIR]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from bench import measures as m
from bench.dimse import measure_dimse
from bench.figures import Figure, print_table, write_json
from bench.forward import measure_forward
from bench.generation import measure_generation
from bench.ledger import measure_ledger
from bench.million import measure_million
from bench.reindex import measure_reindex
from bench.servers import Server, has_orthanc, start_isocenter, start_orthanc
from bench.study_list import measure_study_list
from bench.translator import measure_translator
from bench.viewers import measure_viewers
from isocenter.modality.workload import WORKLOADS, WorkloadShape, write_workload

PARTS = (
    "store",
    "large",
    "retrieve",
    "search",
    "dimse",
    "million",
    "reindex",
    "ledger",
    "translator",
    "forward",
    "generation",
    "list",
    "viewers",
)
NEEDS_NO_SETS = {"million", "reindex", "ledger", "generation", "list", "viewers"}
STORE_A, STORE_B = 2000, 200
SEARCH_STUDIES, LARGE_ARCHIVE_STUDIES = 2020, 20_000
SERIES_OF_500 = WorkloadShape("S", 1, 1, 500, 512, 512)

Starter = Callable[[Path], Server]
STARTERS: dict[str, Starter] = {"isocenter": start_isocenter, "orthanc": start_orthanc}


def main() -> int:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(prog="bench", description="Measure isocenter beside Orthanc on this machine.")
    parser.add_argument("--runs", type=int, default=3, help="rounds of every store measurement (default 3)")
    parser.add_argument("--quick", action="store_true", help="one round, short, without the large archives")
    parser.add_argument("--only", default=",".join(PARTS), help=f"which parts to run: {', '.join(PARTS)}")
    parser.add_argument("--servers", default="isocenter,orthanc", help="which servers to measure")
    parser.add_argument("--json", type=Path, help="write every value of every run to this file")
    parser.add_argument("--folder", type=Path, default=Path("work/bench"), help="where sets and servers live meanwhile")
    arguments = parser.parse_args()
    parts = arguments.only.split(",")
    folder: Path = arguments.folder.resolve()
    runs = 1 if arguments.quick else arguments.runs
    names = arguments.servers.split(",")
    if "orthanc" in names and not has_orthanc():
        print("Orthanc is not installed: there is no peer beside the figures (apt install orthanc orthanc-dicomweb).")
        names.remove("orthanc")
    starters: list[Starter] = [STARTERS[name] for name in names]
    sets = m.Sets(folder) if set(parts) <= NEEDS_NO_SETS else _generate(folder, arguments.quick)
    figures: list[Figure] = []
    if "store" in parts:
        figures += _store(folder, sets, starters, runs)
    if "large" in parts:
        figures += _large(folder, sets, starters)
    if "retrieve" in parts:
        figures += _retrieve(folder, sets, starters)
    if "search" in parts:
        figures += _search(folder, sets, starters, SEARCH_STUDIES, "")
        if not arguments.quick:
            figures += _search(folder, sets, starters[:1], LARGE_ARCHIVE_STUDIES, " of 20,000")
    if "dimse" in parts:
        figures += measure_dimse(folder, sets, names, runs)
    if "forward" in parts:
        figures += measure_forward(folder, sets, runs)
    if "translator" in parts:
        figures += measure_translator(folder, sets, runs)
    figures += _without_sets(folder, parts, runs, quick=arguments.quick)
    print_table(figures)
    if arguments.json:
        write_json(figures, arguments.json)
    return 0


def _without_sets(folder: Path, parts: list[str], runs: int, *, quick: bool) -> list[Figure]:
    """Return the figures of the parts that make their own instances."""
    figures: list[Figure] = []
    if "million" in parts and not quick:
        figures += measure_million(folder)
    if "reindex" in parts and not quick:
        figures += measure_reindex(folder)
    if "ledger" in parts:
        figures += measure_ledger(folder, quick=quick)
    if "generation" in parts:
        figures += measure_generation(runs)
    if "list" in parts:
        figures += measure_study_list(folder, quick=quick)
    if "viewers" in parts:
        figures += measure_viewers(folder, quick=quick)
    return figures


def _generate(folder: Path, quick: bool) -> m.Sets:
    sets = m.Sets(folder)
    shapes = [WORKLOADS["A"], WORKLOADS["B"].scaled(0.4), SERIES_OF_500, WORKLOADS["C"], WORKLOADS["D"]]
    if not quick:
        shapes.append(WORKLOADS["E"])
    for shape in shapes:
        if not (folder / "data" / f"{shape.name}.json").exists():
            print(f"generating set {shape.name}: {shape.number_of_instances} instances", flush=True)
            write_workload(folder / "data", shape)
    return sets


def _store(folder: Path, sets: m.Sets, starters: list[Starter], runs: int) -> list[Figure]:
    small = Figure("STOW A, 16 KB × 50 a request", "/s", "≥ 3,000, ≥ 10 × Orthanc", at_least=3000, peer_factor=10)
    ct = Figure(
        "STOW B, 525 KB CT × 50 a request", "/s", "≥ 80 % of log, ≥ 2 × Orthanc", peer_factor=2, limit_share=0.8
    )
    contents = {"A": sets.contents("A", STORE_A), "B": sets.contents("B", STORE_B)}
    for _ in range(runs):
        for name, figure in (("A", small), ("B", ct)):
            m.measure_log(folder, contents[name], figure)
            for start in starters:
                server = start(folder / "run")
                try:
                    m.measure_store(server, contents[name], figure, m.INSTANCES_PER_REQUEST)
                finally:
                    server.stop()
    return [small, ct]


def _large(folder: Path, sets: m.Sets, starters: list[Starter]) -> list[Figure]:
    memory = Figure("STOW C, 204 MB: memory above idle", "MiB", "≤ 64", at_most=64)
    rate = Figure("STOW C, 204 MB", "MB/s", "–")
    contents = sets.contents("C", 2)
    for start in starters:
        server = start(folder / "run")
        try:
            m.measure_large(server, contents, memory, rate)
        finally:
            server.stop()
    return [memory, rate]


def _retrieve(folder: Path, sets: m.Sets, starters: list[Starter]) -> list[Figure]:
    ct, series, large = sets.entries("B")[0], sets.entries("S")[0], sets.entries("C")[0]
    study = f"/studies/{ct['study']}"
    instance = f"{study}/series/{ct['series']}/instances/{ct['sop']}"
    large_instance = f"/studies/{large['study']}/series/{large['series']}/instances/{large['sop']}"
    rows = {
        "study": Figure("WADO study of 100 CT", "MB/s", "≥ 800, near Orthanc 1.10", at_least=800),
        "instance": Figure("WADO single CT instance", "/s", "≥ 1,000", at_least=1000),
        "frame": Figure("WADO single CT frame", "/s", "≥ 1,000", at_least=1000),
        "rendered": Figure("rendered CT, JPEG", "/s", "≥ 300", at_least=300),
        "large": Figure("9 MB frame of a 204 MB instance", "ms", "≤ 15", at_most=15),
        "first": Figure("metadata of 100 CT, first", "ms", "≤ 60", at_most=60),
        "later": Figure("metadata of 100 CT, after", "ms", "≤ 8", at_most=8),
        "series": Figure("metadata of a 500-slice series, first", "ms", "≤ 300", at_most=300),
    }
    for start in starters:
        server = start(folder / "run")
        try:
            m.load(server, sets.contents("B", 100))
            m.load(server, sets.contents("S"))
            m.load(server, sets.contents("C", 1), 1)
            m.measure_first(server, f"{study}/metadata", m.JSON, rows["first"])
            m.measure_get(server, f"{study}/metadata", m.JSON, rows["later"], m.median_ms)
            m.measure_first(server, f"/studies/{series['study']}/metadata", m.JSON, rows["series"])
            m.measure_get(server, study, m.DICOM, rows["study"], m.megabytes_per_second, seconds=4)
            m.measure_get(server, instance, m.DICOM, rows["instance"], m.per_second)
            m.measure_get(server, f"{instance}/frames/1", m.OCTETS, rows["frame"], m.per_second)
            m.measure_get(server, f"{instance}/rendered", "image/jpeg", rows["rendered"], m.per_second)
            m.measure_get(server, f"{large_instance}/frames/11", m.OCTETS, rows["large"], m.median_ms)
        finally:
            server.stop()
    return list(rows.values())


def _search(folder: Path, sets: m.Sets, starters: list[Starter], studies: int, suffix: str) -> list[Figure]:
    is_large = studies > SEARCH_STUDIES
    name = "E" if is_large else "D"
    entry = sets.entries(name)[len(sets.entries(name)) // 2]
    rate = Figure(f"QIDO study by PatientID{suffix or ' of 2,020'}", "/s", "≥ 800", at_least=800)
    latency = Figure(f"QIDO study by PatientID{suffix or ' of 2,020'}, p50", "ms", "≤ 2", at_most=2)
    page = Figure(f"QIDO first 25 studies{suffix or ' of 2,020'}", "ms", "≤ 5", at_most=5)
    figures = [rate, latency, page]
    everything = Figure("QIDO all 2,020 studies", "ms", "≤ 150", at_most=150)
    for start in starters:
        server = start(folder / "run")
        try:
            if not is_large:
                m.load(server, sets.contents("A", STORE_A))
            m.load(server, sets.contents(name))
            by_patient = f"/studies?PatientID={entry['pid']}"
            m.measure_get(server, by_patient, m.JSON, rate, m.per_second)
            m.measure_get(server, by_patient, m.JSON, latency, m.median_ms)
            m.measure_get(server, "/studies?limit=25", m.JSON, page, m.median_ms)
            if not is_large:
                m.measure_get(server, "/studies?limit=5000", m.JSON, everything, m.median_ms)
        finally:
            server.stop()
    return figures if is_large else [*figures, everything]


if __name__ == "__main__":
    sys.exit(main())
