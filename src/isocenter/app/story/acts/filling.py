"""Steps 1 and 2: the PACS is filled, and a device sends straight to it."""

from __future__ import annotations

from isocenter.app.story.acts.proof import expect_same_pixels, expect_studies, play_script
from isocenter.app.story.books import Place, given_name, patient_id
from isocenter.app.story.stage import Stage
from isocenter.app.story.step import Findings
from isocenter.app.story.uid_sets import expect_among
from isocenter.modality.story import Script, StudyKind

THEIRS = (1, 2, 3)
"""The patients who come again and are sent to the PACS."""


def fill_pacs(stage: Stage, findings: Findings) -> None:
    """Send the recent studies to the PACS."""
    if play_script(stage, findings, Script.PRELOAD):
        stage.books.played.add(1)
    expect_studies(stage, findings, Place.PACS)
    expect_same_pixels(stage, findings, Place.PACS, stage.books.of_script(Script.PRELOAD))


def send_to_pacs(stage: Stage, findings: Findings) -> None:
    """Send new studies of three patients to the PACS."""
    if play_script(stage, findings, Script.TO_PACS):
        stage.books.played.add(2)
    for number in THEIRS:
        own = [study for study in stage.books.studies if study.patient_number == number]
        wanted = {study.study_instance_uid for study in own if study.kind is not StudyKind.PRIOR}
        found = stage.pacs.studies_of(patient_id(number))
        text = f"{given_name(number)} has a study from before and one from today"
        expect_among(findings, text, wanted=wanted, found=found, noun="study")
    expect_studies(stage, findings, Place.PACS)
    expect_same_pixels(stage, findings, Place.PACS, stage.books.of_script(Script.TO_PACS))
