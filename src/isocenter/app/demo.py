"""The demo: what it takes in, once.

A folder remembers what it was given: the journal of the sample files that the node acknowledged, and
the day from which the generated studies are dated back, so that a second start, or one after a stop in
the middle, sends only what is missing and always the same bytes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from isocenter.app.journal import Journal
from isocenter.app.part10_files import iter_files
from isocenter.app.sending import Candidates, SendReport, send
from isocenter.dicom.scan import scan_instance
from isocenter.dicomweb.client.client import DicomwebClient
from isocenter.dicomweb.client.upload import InstanceSource
from isocenter.modality.demo_studies import demo_plans, iter_demo, number_of_demo_instances

SHARED_DATA_VARIABLE = "ISOCENTER_SHARED_DATA"
STATE_FILE = "demo.json"
JOURNAL_FILE = "demo-journal.jsonl"
JOURNAL_NAME = "demo"
"""The node's port may differ from start to start; the folder is what the journal is about."""
BATCH_SIZE_BYTES = 8 * 1024**2
"""Small, so that the progress of what is being generated is seen."""
SOP_INSTANCE_UID = 0x00080018


@dataclass(frozen=True, slots=True)
class DemoState:
    """What a folder remembers of the generated studies."""

    today: datetime
    is_complete: bool


def find_samples() -> Path | None:
    """Return the folder of sample studies: where the variable says, else beside the project; None without one."""
    named = os.environ.get(SHARED_DATA_VARIABLE)
    project = Path(__file__).resolve().parents[3]
    candidates = [Path(named)] if named else [project.parent / "shared" / "data", Path.cwd().parent / "shared" / "data"]
    return next((folder / "demo" for folder in candidates if (folder / "demo").is_dir()), None)


def read_state(data_dir: Path) -> DemoState | None:
    """Return what the folder remembers, None on the first start."""
    try:
        fields = json.loads((data_dir / STATE_FILE).read_text())
        return DemoState(datetime.fromisoformat(fields["today"]), bool(fields["is_complete"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_state(data_dir: Path, state: DemoState) -> None:
    """Remember in the folder."""
    path = data_dir / STATE_FILE
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps({"today": state.today.isoformat(), "is_complete": state.is_complete}))
    partial.replace(path)


def send_samples(
    client: DicomwebClient, samples: Path, *, data_dir: Path, on_sent: Callable[[int], None]
) -> SendReport:
    """Send the sample files that this folder's node did not acknowledge before."""
    report = SendReport()
    with Journal(data_dir / JOURNAL_FILE, url=JOURNAL_NAME) as journal:
        files = Candidates(journal, report, on_passed=on_sent).select(iter_files([samples]))
        send(client, files, journal=journal, report=report, parallel=2, on_sent=on_sent)
    return report


def size_of_samples(samples: Path) -> int:
    """Return how many bytes the samples have."""
    return sum(file.size_bytes for file in iter_files([samples]))


def number_to_generate(data_dir: Path) -> int:
    """Return how many instances are still to be generated: all or none."""
    state = read_state(data_dir)
    return 0 if state is not None and state.is_complete else number_of_demo_instances(_day(state))


def number_of_generated_studies() -> int:
    """Return how many studies the demo generates."""
    return len(demo_plans(datetime.now(UTC)))


def send_generated(client: DicomwebClient, *, data_dir: Path, on_stored: Callable[[int], None]) -> int:
    """Generate the studies and send them; return how many instances were refused."""
    state = DemoState(_day(read_state(data_dir)), is_complete=False)
    write_state(data_dir, state)
    refused = 0
    sources = _iter_sources(state.today)
    for done, result in enumerate(client.store(sources, batch_size_bytes=BATCH_SIZE_BYTES), start=1):
        refused += not result.is_stored
        on_stored(done)
    if not refused:
        write_state(data_dir, DemoState(state.today, is_complete=True))
    return refused


def _day(state: DemoState | None) -> datetime:
    return state.today if state is not None else datetime.now().replace(microsecond=0)


def _iter_sources(today: datetime) -> Iterator[InstanceSource]:
    for content in iter_demo(today):
        yield _source(content)


def _source(content: bytes) -> InstanceSource:
    uid = scan_instance(content, wanted=frozenset({SOP_INSTANCE_UID})).attributes[SOP_INSTANCE_UID]
    return InstanceSource(uid, len(content), lambda: iter((content,)), uid)
