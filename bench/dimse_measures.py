"""What is measured over DIMSE: store by stock and lean clients, search, retrieve; the same for every server."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import dimse_load as load
from bench import dimse_sink as sink
from bench.dimse_wire import Context
from bench.figures import Figure
from bench.measures import Sets
from bench.servers import PeakMemory, Server
from isocenter.dicom.part10 import read_encoding

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
MESSAGE_IDS = 65_000
STORESCU = "storescu"


def has_storescu() -> bool:
    """Tell whether DCMTK's client is installed."""
    return shutil.which(STORESCU) is not None


def instances(sets: Sets, name: str, limit: int | None = None) -> list[load.Stored]:
    """Return the instances of a set as they are sent."""
    found = []
    for entry in sets.entries(name)[:limit]:
        content = (sets.folder / "data" / entry["path"]).read_bytes()
        _encoding, offset = read_encoding(content)
        found.append(load.Stored(entry["class"], entry["sop"], memoryview(content)[offset:]))
    return found


def shares(items: Sequence[load.Stored], parts: int) -> list[Sequence[load.Stored]]:
    """Return items in so many equal runs."""
    size = -(-len(items) // parts)
    return [items[start : start + size] for start in range(0, len(items), size)]


def linked_folders(sets: Sets, name: str, limit: int, parts: int) -> list[Path]:
    """Return folders with hard links to the first instances of a set in equal shares, for clients that read files."""
    root = sets.folder / "data" / f"{name}.first{limit}.of{parts}"
    if not root.exists():
        for index, entry in enumerate(sets.entries(name)[:limit]):
            folder = root / str(index * parts // limit)
            folder.mkdir(parents=True, exist_ok=True)
            os.link(sets.folder / "data" / entry["path"], folder / f"{index:06d}.dcm")
    return sorted(root.iterdir())


def measure_storescu(server: Server, folders: Sequence[Path], figure: Figure) -> None:
    """Record instances a second of stock storescu, Nagle's algorithm on, a process for each folder."""
    environment = {name: value for name, value in os.environ.items() if name != "TCP_NODELAY"}
    count = sum(1 for folder in folders for _ in folder.iterdir())
    command = [STORESCU, "-R", "-aec", server.ae_title, "+sd", "127.0.0.1", str(server.dimse_port)]
    began = time.perf_counter()
    processes = [
        subprocess.Popen([*command, str(folder)], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for folder in folders
    ]
    codes = [process.wait() for process in processes]
    elapsed = time.perf_counter() - began
    if any(codes):
        raise RuntimeError(f"storescu ended with {codes}")
    figure.add(server.name, count / elapsed)


def measure_lean(server: Server, items: Sequence[load.Stored], figure: Figure, *, associations: int) -> None:
    """Record instances a second of the lean client over so many associations."""
    figure.add(server.name, len(items) / store(server, items, associations=associations))


def measure_large(
    server: Server, items: Sequence[load.Stored], *, associations: int, rate: Figure, memory: Figure
) -> None:
    """Record MB/s, and memory above idle, while large instances are stored."""
    with PeakMemory(server) as peak:
        elapsed = store(server, items, associations=associations)
    rate.add(server.name, sum(len(each.dataset) for each in items) / elapsed / 1e6)
    memory.add(server.name, peak.above_idle_bytes / 1024**2)


def store(server: Server, items: Sequence[load.Stored], *, associations: int) -> float:
    """Store instances over so many associations at once; return the seconds from the first byte to the last answer."""
    prepared = []
    contexts = [Context(uid) for uid in sorted({item.sop_class_uid for item in items})]
    for share in shares(items, associations):
        connection = load.DimseConnection(server.dimse_port, called_ae_title=server.ae_title, contexts=contexts)
        requests = [connection.store_request(each, index % MESSAGE_IDS + 1) for index, each in enumerate(share)]
        prepared.append((connection, requests))
    failures: list[BaseException] = []

    def send(connection: load.DimseConnection, requests: Sequence[load.Request]) -> None:
        try:
            for request in requests:
                connection.store(request)
        except Exception as error:  # outermost frame of a thread; raised below
            failures.append(error)

    threads = [threading.Thread(target=send, args=each) for each in prepared]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - began
    for connection, _requests in prepared:
        connection.close()
    if failures:
        raise failures[0]
    return elapsed


def measure_find(server: Server, *, patient_id: str, rate: Figure, everything: Figure) -> None:
    """Record searches a second by PatientID, and the milliseconds of a search for all studies."""
    connection = _connect(server, [Context(load.STUDY_ROOT_FIND)])
    request = connection.find_request(load.study_identifier(patient_id=patient_id))
    if connection.find(request) != 1:
        raise RuntimeError("the search by PatientID found not one study")
    seconds = _repeat(lambda: connection.find(request), seconds=3.0)
    rate.add(server.name, len(seconds) / sum(seconds))
    request = connection.find_request(load.study_identifier())
    seconds = _repeat(lambda: connection.find(request), seconds=1.0)
    everything.add(server.name, sorted(seconds)[len(seconds) // 2] * 1000)
    connection.close()


def measure_get(server: Server, study_instance_uid: str, figure: Figure, *, count: int) -> None:
    """Record instances a second of a study fetched by C-GET again and again."""
    contexts = [Context(load.STUDY_ROOT_GET), Context(CT_IMAGE, as_scp=True)]
    connection = _connect(server, contexts)
    request = connection.get_request(load.retrieve_identifier(study_instance_uid))

    def get() -> None:
        if connection.get(request).instances != count:
            raise RuntimeError("C-GET did not bring the whole study")

    seconds = _repeat(get, seconds=3.0)
    figure.add(server.name, count * len(seconds) / sum(seconds))
    connection.close()


def measure_move(server: Server, study_instance_uid: str, figure: Figure, *, count: int) -> None:
    """Record instances a second of a study sent to the sink by C-MOVE again and again."""
    connection = _connect(server, [Context(load.STUDY_ROOT_MOVE)])
    request = connection.move_request(load.retrieve_identifier(study_instance_uid), sink.AE_TITLE)
    seconds = _repeat(lambda: connection.move(request), seconds=3.0)
    figure.add(server.name, count * len(seconds) / sum(seconds))
    connection.close()


def _connect(server: Server, contexts: Sequence[Context]) -> load.DimseConnection:
    return load.DimseConnection(server.dimse_port, called_ae_title=server.ae_title, contexts=contexts)


def _repeat(action: Callable[[], object], *, seconds: float, count_min: int = 3) -> list[float]:
    taken: list[float] = []
    deadline = time.perf_counter() + seconds
    while len(taken) < count_min or time.perf_counter() < deadline:
        began = time.perf_counter()
        action()
        taken.append(time.perf_counter() - began)
    return taken
