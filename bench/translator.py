"""The part `translator` of the benchmark: what a translator adds to a search, and what it leaves of a move's speed."""

from __future__ import annotations

import time
from pathlib import Path

from bench import dimse_load as load
from bench import dimse_measures as dimse
from bench import measures as web
from bench.dimse_sink import Sink
from bench.dimse_wire import Context
from bench.figures import OURS, Figure
from bench.measures import Sets
from bench.servers import PeakMemory, Server, start_isocenter, start_translator

SERIES_COUNT = 500
SEARCH_S = 2.0


def measure_translator(folder: Path, sets: Sets, runs: int) -> list[Figure]:
    """Measure a search and a move through a translator beside the same without it, on this machine."""
    added = Figure("C-FIND through the translator: added to QIDO", "ms", "≤ 5", at_most=5)
    direct = Figure("C-MOVE of 500 CT, direct", "instances/s", "–")
    through = Figure("C-MOVE of 500 CT through the translator", "instances/s", "–")
    share = Figure("the same, as a share of direct", "", "≥ 0.7", at_least=0.7)
    memory = Figure("C-MOVE through the translator: memory above idle", "MiB", "≤ 128", at_most=128)
    with Sink() as sink:
        cloud = start_isocenter(folder / "run", sink_port=sink.port)
        try:
            web.load(cloud, sets.contents("D"))
            web.load(cloud, sets.contents("S"))
            translator = start_translator(folder / "translator", cloud, sink_port=sink.port)
            try:
                for _ in range(runs):
                    added.add(OURS, _added_ms(cloud, translator, sets))
                    study = sets.entries("S")[0]["study"]
                    dimse.measure_move(cloud, study, direct, count=SERIES_COUNT)
                    with PeakMemory(translator) as peak:
                        dimse.measure_move(translator, study, through, count=SERIES_COUNT)
                    memory.add(OURS, peak.above_idle_bytes / 1024**2)
                    share.add(OURS, through.values[OURS][-1] / direct.values[OURS][-1])
            finally:
                translator.stop()
        finally:
            cloud.stop()
    return [added, direct, through, share, memory]


def _added_ms(cloud: Server, translator: Server, sets: Sets) -> float:
    """Return how much longer a search takes through the translator than the QIDO that it asks."""
    patient_id = sets.entries("D")[len(sets.entries("D")) // 2]["pid"]
    qido = Figure("QIDO", "ms", "–")
    fields = "&includefield=00100020&includefield=0020000D&limit=200"
    web.measure_get(cloud, f"/studies?PatientID={patient_id}{fields}", web.JSON, qido, web.median_ms)
    median = qido.median(OURS)
    assert median is not None
    return _median_find_ms(translator, patient_id) - median


def _median_find_ms(translator: Server, patient_id: str) -> float:
    contexts = [Context(load.STUDY_ROOT_FIND)]
    connection = load.DimseConnection(translator.dimse_port, called_ae_title=translator.ae_title, contexts=contexts)
    request = connection.find_request(load.study_identifier(patient_id=patient_id))
    if connection.find(request) != 1:
        raise RuntimeError("the search by PatientID found not one study")
    taken: list[float] = []
    deadline = time.perf_counter() + SEARCH_S
    while time.perf_counter() < deadline:
        began = time.perf_counter()
        connection.find(request)
        taken.append(time.perf_counter() - began)
    connection.close()
    return sorted(taken)[len(taken) // 2] * 1000
