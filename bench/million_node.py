"""The data folder of a node with a million instances: filled once by the way that every edge takes, then kept.

What is kept is used again while schema, formats and recipe are the same; what a run changes in it, it puts back.
"""

from __future__ import annotations

import http
import http.client
import json
import shutil
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from itertools import islice
from pathlib import Path

from bench.million_dataset import STUDIES, arriving, make_small_template
from bench.million_images import images
from bench.servers import Server, start_isocenter_on
from isocenter.app.settings import load_settings
from isocenter.app.wiring import open_archive
from isocenter.archive.archive import Archive
from isocenter.archive.store import begin_store
from isocenter.domain.outcome import StoreOutcome
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.storage.sqlite.migrate import SCHEMA_VERSION

RECIPE_VERSION = 2
"""Raised whenever the instances below change."""
BATCH = 512
IMAGES_BATCH = 32
"""Half a megabyte each; the intake refuses what would not fit into its memory."""
IN_FLIGHT_BATCHES = 2
OPERATION_TIMEOUT_S, REQUEST_TIMEOUT_S = 60.0, 60.0
ADMISSION_ID, STATION_NAME = "00380010", "00081010"
"""Extended query tags of the node."""
RECIPE_FILE = "recipe.json"


def prepared_node(folder: Path, *, studies: int = STUDIES) -> Path:
    """Return the data folder of a node with so many studies, filled now where there is none of this recipe."""
    data_dir = folder.resolve() / f"million-{studies}"
    recipe = {"recipe": RECIPE_VERSION, "schema": SCHEMA_VERSION, "studies": studies}
    if _recipe_of(data_dir) == recipe:
        return data_dir
    shutil.rmtree(data_dir, ignore_errors=True)
    data_dir.mkdir(parents=True)
    print(f"filling a node with {studies:,} studies: some minutes, 3 GB below {data_dir}", flush=True)
    began = time.perf_counter()
    _add_query_tags(data_dir)
    count = fill(data_dir, studies)
    (data_dir / RECIPE_FILE).write_text(json.dumps(recipe))
    seconds = time.perf_counter() - began
    print(f"filled a node with {count:,} instances in {seconds:,.0f} s, {count / seconds:,.0f}/s", flush=True)
    return data_dir


def _add_query_tags(data_dir: Path) -> None:
    """Have a node index further attributes before anything is stored, as its callers do."""
    entries = [{"path": ADMISSION_ID, "level": "Study"}, {"path": STATION_NAME, "level": "Series"}]
    server = start_isocenter_on(data_dir)
    try:
        begun = json.loads(send(server, "POST", "/v2/extendedquerytags", json.dumps(entries).encode()))
        deadline = time.monotonic() + OPERATION_TIMEOUT_S
        while json.loads(send(server, "GET", f"/v2/operations/{begun['id']}"))["status"] != "succeeded":
            if time.monotonic() > deadline:
                raise RuntimeError("the extended query tags were not ready in time")
            time.sleep(0.05)
    finally:
        server.stop()


def send(server: Server, method: str, path: str, body: bytes = b"") -> bytes:
    """Send one request and return the body of its answer. Raises RuntimeError where it is refused."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=REQUEST_TIMEOUT_S)
    try:
        connection.request(
            method, path, body or None, {"Content-Type": "application/json", "Accept": "application/json"}
        )
        answer = connection.getresponse()
        content = answer.read()
        if answer.status >= http.HTTPStatus.BAD_REQUEST:
            raise RuntimeError(f"{method} {path}: HTTP {answer.status}")
        return content
    finally:
        connection.close()


def _recipe_of(data_dir: Path) -> object:
    try:
        return json.loads((data_dir / RECIPE_FILE).read_text())
    except (OSError, ValueError):
        return None


def fill(data_dir: Path, studies: int) -> int:
    """Store the instances of so many studies through the intake of an archive of its own; return how many."""
    settings = load_settings({"data_dir": str(data_dir)}, {}, None)
    with open_archive(settings) as archive:
        count = store_all(archive, contents(range(studies)), batch_size=BATCH)
        return count + store_all(archive, images(), batch_size=IMAGES_BATCH)


def contents(studies: range) -> Iterator[bytes]:
    """Yield the instances of some studies in the order in which they come in."""
    template = make_small_template()
    for study, series_number, instance_number in arriving(studies):
        yield bytes(template.filled(study.values(series_number, instance_number)))


def store_all(archive: Archive, instances: Iterable[bytes], *, batch_size: int) -> int:
    """Store instances, some batches on their way at a time."""
    waiting: list[list[Future[StoreOutcome]]] = []
    count = 0
    iterator = iter(instances)
    while batch := list(islice(iterator, batch_size)):
        waiting.append([_store(archive, content) for content in batch])
        count += len(batch)
        if len(waiting) > IN_FLIGHT_BATCHES:
            _settle(waiting.pop(0))
    for futures in waiting:
        _settle(futures)
    return count


def _store(archive: Archive, content: bytes) -> Future[StoreOutcome]:
    reception = begin_store(archive, LOCAL_OWNER, source="import")
    reception.write(content)
    return reception.finish()


def _settle(futures: list[Future[StoreOutcome]]) -> None:
    for future in futures:
        future.result()
