"""The part `list` of the benchmark: the study list of an archive of 100,000 studies, as a browser shows it.

The node is filled once, with one small instance a study, and kept below the folder of the benchmark.
"""

from __future__ import annotations

import json
import shutil
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser

from bench.browser import fresh_profile, has_browser, running_browser, wait_for_number
from bench.figures import Figure
from bench.million_dataset import Study, make_small_template
from bench.million_node import store_all
from bench.servers import Server, start_isocenter_on
from isocenter.app.settings import load_settings
from isocenter.app.wiring import open_archive
from isocenter.storage.sqlite.migrate import SCHEMA_VERSION

STUDIES, QUICK_STUDIES = 100_000, 5_000
BATCH = 512
VISITS = 7
ROWS_PER_PAGE = 25
RECIPE_FILE = "recipe.json"
ROWS_MAX_MS = 300
VIEWS = (
    ("first page", "/"),
    ("a page behind a quarter of them", "/?page={quarter}"),
    ("by name", "/?patient=smith"),
    ("by modality and date", "/?modality=CT&since=2022-01-01&until=2022-12-31"),
)
_NOTE_ROWS = """
window.rowsAt = null;
new MutationObserver(() => {
  if (window.rowsAt === null && document.querySelector("table tbody tr")) {
    requestAnimationFrame(() => setTimeout(() => { window.rowsAt ??= performance.now(); }));
  }
}).observe(document, { childList: true, subtree: true });
"""


def measure_study_list(folder: Path, *, quick: bool) -> list[Figure]:
    """Return how long the list takes from its address to its first rows on the screen."""
    if not has_browser():
        print("Chromium is not installed: nothing tells how pages feel (apt install chromium).")
        return []
    count = QUICK_STUDIES if quick else STUDIES
    data_dir = prepared_studies(folder, count)
    server = start_isocenter_on(data_dir)
    try:
        with running_browser() as browser:
            quarter = count // 4 // ROWS_PER_PAGE
            return [_view(browser, server, name, path.format(quarter=quarter), count) for name, path in VIEWS]
    finally:
        server.stop()


def prepared_studies(folder: Path, count: int) -> Path:
    """Return the data folder of a node with so many studies, filled now where there is none."""
    data_dir = folder.resolve() / f"studies-{count}"
    recipe = {"schema": SCHEMA_VERSION, "studies": count}
    kept = data_dir / RECIPE_FILE
    if kept.exists() and json.loads(kept.read_text()) == recipe:
        return data_dir
    shutil.rmtree(data_dir, ignore_errors=True)
    data_dir.mkdir(parents=True)
    began = time.perf_counter()
    with open_archive(load_settings({"data_dir": str(data_dir)}, {}, None)) as archive:
        store_all(archive, _contents(count), batch_size=BATCH)
    kept.write_text(json.dumps(recipe))
    print(f"filled a node with {count:,} studies in {time.perf_counter() - began:,.0f} s", flush=True)
    return data_dir


def _contents(count: int) -> Iterator[bytes]:
    template = make_small_template()
    for number in range(count):
        yield bytes(template.filled(Study(number).values(1, 1)))


def _view(browser: Browser, server: Server, name: str, path: str, count: int) -> Figure:
    """Measure one view, each time in a profile that has seen nothing; the median counts."""
    figure = Figure(f"list of {count:,} studies, {name}: first rows", "ms", f"≤ {ROWS_MAX_MS}", at_most=ROWS_MAX_MS)
    taken = []
    for _ in range(VISITS):
        with fresh_profile(browser) as context:
            page = context.new_page()
            page.add_init_script(_NOTE_ROWS)
            page.goto(f"http://127.0.0.1:{server.port}{path}")
            taken.append(wait_for_number(page, "window.rowsAt"))
    figure.add(server.name, statistics.median(taken))
    return figure
