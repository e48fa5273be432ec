"""What breaks in steps 8 and 9, and what works all the same meanwhile."""

from __future__ import annotations

from functools import partial

import httpx

from isocenter.app.hospital.control import Cut, Line, Part
from isocenter.app.story.acts.breaking import BREAKS_AFTER, Breaking, play_outage
from isocenter.app.story.acts.proof import images, place_words
from isocenter.app.story.acts.sending import expect_picture
from isocenter.app.story.books import JULE, Place, patient_id
from isocenter.app.story.outage import OutagePlan
from isocenter.app.story.scan import SLICES
from isocenter.app.story.stage import Stage
from isocenter.app.story.step import Findings
from isocenter.app.story.uid_sets import expect_among, expect_exactly
from isocenter.domain.errors import IsocenterError
from isocenter.modality.story import StudyKind

BACKLOG_MIN = SLICES // 2
assert BACKLOG_MIN < SLICES - BREAKS_AFTER, "what is sent after the break makes the backlog"
VIEWER_PATH = "/viewer/"


def cut_line_to_cloud(stage: Stage, findings: Findings) -> None:
    """Cut the line to the cloud while a scan is sent, and mend it."""
    breaking = Breaking(
        step=8,
        plan=OutagePlan("The line to the cloud breaks", "line to the cloud", Place.CLOUD, BACKLOG_MIN),
        begin=lambda: stage.control.cut(Line.CLOUD, Cut.REFUSE),
        begun="cut",
        meanwhile=partial(_without_cloud, stage),
        end=lambda: stage.control.heal(Line.CLOUD),
        ended="mended",
    )
    play_outage(stage, findings, breaking)
    stage.books.played.add(8)


def kill_pacs(stage: Stage, findings: Findings) -> None:
    """Kill the PACS while a scan is sent, and start it again."""
    breaking = Breaking(
        step=9,
        plan=OutagePlan("The PACS dies", "PACS", Place.PACS, BACKLOG_MIN),
        begin=lambda: stage.control.kill(Part.PACS),
        begun="killed",
        meanwhile=partial(_without_pacs, stage),
        end=lambda: stage.control.start(Part.PACS),
        ended="started",
    )
    play_outage(stage, findings, breaking)
    stage.books.played.add(9)


def _without_cloud(stage: Stage, findings: Findings) -> None:
    answer = stage.pacs.find_in_cloud(patient_id(JULE))
    findings.expect(
        "Searching the cloud fails, rather than finding nothing",
        bool(answer.failure),
        wanted="a failure",
        found=answer.failure or f"{len(answer.studies)} studies, as if there were no more",
    )
    expect = expect_exactly if stage.is_exclusive else expect_among
    expect(
        findings,
        "Searching the PACS works",
        wanted=stage.books.expected(Place.PACS, [JULE]),
        found=stage.books.own(stage.pacs.studies_of(patient_id(JULE))),
        noun="study",
    )


def _without_pacs(stage: Stage, findings: Findings) -> None:
    try:
        stage.pacs.studies_of(patient_id(JULE))
        found = "it answers"
    except IsocenterError:
        found = "it does not answer"
    findings.expect_equal(f"{place_words(Place.PACS)} is really gone", "it does not answer", found)
    page = stage.cloud_console.page(VIEWER_PATH)
    findings.expect(
        "The viewer of the cloud opens",
        page.status == httpx.codes.OK and page.media_type == "text/html",
        wanted="200, text/html",
        found=f"{page.status}, {page.media_type}",
    )
    study = next(
        one for one in stage.books.studies if one.kind is StudyKind.NEW and one.patient_number not in (1, 2, 3)
    )
    uid = study.study_instance_uid
    expect_among(
        findings,
        "The cloud finds a study of today",
        wanted=[uid],
        found=stage.cloud.studies_of(patient_id(study.patient_number)),
        noun="study",
    )
    count = stage.cloud.metadata_of(uid)
    findings.expect_equal("The cloud gives its metadata", images(study.plan.number_of_instances), images(count))
    expect_picture(stage, findings, uid)
