"""Play the whole story in a hospital of its own, and prove each step: what `isocenter demo --check` does."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from isocenter.app.hospital.options import HospitalOptions
from isocenter.app.hospital.reach import PacsKind
from isocenter.app.hospital.running import RunningHospital, running_hospital
from isocenter.app.story.images import StoryImages, in_order_of_use
from isocenter.app.story.plan import STEPS
from isocenter.app.story.player import play_steps
from isocenter.app.story.report import is_held, report_json
from isocenter.app.story.stage import Stage
from isocenter.app.story.step import StepResult, StepState
from isocenter.app.story.telling import iter_result, verdict_of
from isocenter.domain.errors import InvalidSetting
from isocenter.modality.story import StoryMode, story_studies

REDUCTION = 4
"""Coarser pictures than the tour has: their way is the same, and they are made and moved sooner."""
TIME_MAX_S = 200.0
"""After it no further step is begun. One that is being played goes on, and each of its waits has a limit of its own: a
check in which everything hangs takes some minutes more, and ends."""

Write = Callable[[str], None]
"""Takes a line of text."""


def _nothing(_hospital: RunningHospital) -> None:
    """Leave the hospital as it is."""


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """How the story is checked."""

    pacs: PacsKind = PacsKind.ISOCENTER
    report_file: Path | None = None
    """Where the results go as JSON."""
    mode: StoryMode = StoryMode.FAITHFUL
    prepare: Callable[[RunningHospital], None] = _nothing
    """What is done to the hospital before the first step: who tests the check breaks something."""


def check_story(options: CheckOptions, write: Write) -> bool:
    """Play all steps in a fresh hospital, write what each came to, and tell whether all of it is as expected.

    Raises InvalidSetting and Unavailable where the hospital cannot be started, or the report not be written.
    """
    began_s = time.monotonic()
    results: list[StepResult] = []
    if options.report_file is not None:
        _write_report(options.report_file, "")  # a check of a minute must not end in a file that cannot be written

    def tell(result: StepResult) -> None:
        if result.state is not StepState.PLAYING:
            for line in iter_result(result):
                write(line)

    def is_time_over() -> bool:
        return time.monotonic() - began_s > TIME_MAX_S

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="isocenter-check-")))
        images = StoryImages(reduction=REDUCTION)
        stack.enter_context(images.making(in_order_of_use(story_studies(options.mode))))
        write(f"A hospital with {_called(options.pacs)} as its PACS is started …")
        hospital = stack.enter_context(running_hospital(folder, HospitalOptions.for_a_check(options.pacs), tell=write))
        write(f"It runs after {time.monotonic() - began_s:.1f} s.\n")
        options.prepare(hospital)
        stage = Stage(hospital.reach, hospital.control, options.mode, images)
        stack.callback(stage.router.close)
        results = play_steps(stage, [plan.number for plan in STEPS], tell, is_time_over=is_time_over)
    verdict = verdict_of(results)
    write(verdict)
    write(f"{time.monotonic() - began_s:.1f} s in all.")
    if options.report_file is not None:
        document = report_json(results, pacs=options.pacs.value, verdict=verdict)
        _write_report(options.report_file, json.dumps(document, indent=1))
    return is_held(results)


def _write_report(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidSetting(f"The report cannot be written to {path}: {error.strerror}.") from error


def _called(pacs: PacsKind) -> str:
    return "Orthanc" if pacs is PacsKind.ORTHANC else "a node of ours"
