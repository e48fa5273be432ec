"""The first images of a hospital: the recent studies in the PACS, generated studies of other patients in the cloud.

A program of its own, `python -m isocenter.app.hospital.first_images FOLDER [SAMPLES]`, because drawing takes a core for
a while: the supervisor, whose lines images pass over, stays quick. It tells how far it is, a line at a time.

A folder remembers what it was given: that script 1 was played, the journal of the sample files that the cloud
acknowledged, and the day from which the generated studies are dated back. So a second start, or one after a stop in the
middle, sends only what is missing and always the same bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from isocenter.app.hospital.given import Given, read_given, remember
from isocenter.app.hospital.reach import read_reach
from isocenter.app.journal import Journal
from isocenter.app.modality.scripts import addresses_in, run_script
from isocenter.app.part10_files import iter_files
from isocenter.app.peer import open_peer
from isocenter.app.sending import Candidates, SendReport, send
from isocenter.app.web_archive import WebArchive
from isocenter.dicom.scan import scan_instance
from isocenter.dicomweb.client.client import DicomwebClient
from isocenter.dicomweb.client.upload import InstanceSource
from isocenter.domain.errors import IsocenterError
from isocenter.modality.demo_studies import iter_demo, number_of_demo_instances
from isocenter.modality.story import Script

JOURNAL_FILE = "samples-journal.jsonl"
JOURNAL_NAME = "demo"
"""The port of the cloud may differ from start to start; the folder is what the journal is about."""
BATCH_SIZE_BYTES = 8 * 1024**2
"""Small, so that the progress of what is being generated is seen."""
TOLD_EVERY = 25
"""Instances."""
SOP_INSTANCE_UID = 0x00080018


def give_all(folder: Path, samples: Path | None, *, reduction: int = 1) -> int:
    """Send what is missing; return how many instances were refused. `reduction` makes coarser pictures, for tests."""
    reach = read_reach(folder)
    given = read_given(folder)
    if not given.today:
        given = remember(folder, Given(datetime.now().replace(microsecond=0).isoformat()))
    refused = 0
    if not given.has_recent:
        refused += _give_recent(folder, reduction)
        if not refused:
            given = remember(folder, replace(given, has_recent=True))
    application = reach.application
    archive = WebArchive(
        f"{reach.cloud_url}/dicom-web",
        client_id=application.client_id,
        client_secret=application.secret,
        authority=application.token_url,
    )
    with open_peer(archive) as cloud:
        if samples is not None:
            refused += _give_samples(cloud, samples, folder=folder)
        if not given.has_generated:
            refused_here = _give_generated(cloud, datetime.fromisoformat(given.today))
            refused += refused_here
            if not refused_here:
                remember(folder, replace(given, has_generated=True))
    return refused


def _give_recent(folder: Path, reduction: int) -> int:
    _tell("The PACS takes in the recent studies of eight patients.")
    report = run_script(Script.PRELOAD, addresses_in(folder), reduction=reduction)
    for problem in report.problems:
        _tell(problem)
    return report.expected - len(report.acknowledged)


def _give_samples(client: DicomwebClient, samples: Path, *, folder: Path) -> int:
    _tell("The cloud takes in the sample studies.")
    report = SendReport()
    with Journal(folder / JOURNAL_FILE, url=JOURNAL_NAME) as journal:
        files = Candidates(journal, report, on_passed=_ignore).select(iter_files([samples]))
        send(client, files, journal=journal, report=report, parallel=2, on_sent=_ignore)
    return report.failed_count


def _give_generated(client: DicomwebClient, today: datetime) -> int:
    """Generate studies of other patients than those of the walk-through, and send them."""
    number, refused = number_of_demo_instances(today), 0
    for done, result in enumerate(client.store(_iter_sources(today), batch_size_bytes=BATCH_SIZE_BYTES), start=1):
        refused += not result.is_stored
        if done % TOLD_EVERY == 0 or done == number:
            _tell(f"The cloud takes in generated studies: {done} of {number} instances.")
    return refused


def _iter_sources(today: datetime) -> Iterator[InstanceSource]:
    for content in iter_demo(today):
        yield _source(content)


def _source(content: bytes) -> InstanceSource:
    uid = scan_instance(content, wanted=frozenset({SOP_INSTANCE_UID})).attributes[SOP_INSTANCE_UID]
    return InstanceSource(uid, len(content), lambda: iter((content,)), uid)


def _tell(sentence: str) -> None:
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


def _ignore(_size_bytes: int) -> None:
    """Show no progress of bytes."""


def main(arguments: list[str]) -> int:
    """Give the hospital of a folder its first images."""
    folder, *samples = map(Path, arguments)
    try:
        refused = give_all(folder, samples[0] if samples else None)
    except IsocenterError as error:
        _tell(error.message)
        return 1
    if refused:
        _tell(f"{refused} instances were refused.")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
