"""Steps 6 and 7: the old archive goes to the cloud, and one study of it comes back."""

from __future__ import annotations

from isocenter.app.story.acts.proof import expect_same_pixels, expect_studies, images, play_script
from isocenter.app.story.books import JULE, Place, patient_id
from isocenter.app.story.stage import DELIVERED_WITHIN_S, Stage, wait_until
from isocenter.app.story.step import Findings
from isocenter.app.story.uid_sets import expect_among
from isocenter.modality.story import Script, StudyKind


def move_old_archive(stage: Stage, findings: Findings) -> None:
    """Send the priors to QIETOAZURE."""
    if play_script(stage, findings, Script.MIGRATE):
        stage.books.played.add(6)
    expect_studies(stage, findings, Place.CLOUD)
    expect_studies(stage, findings, Place.CLOUD, [JULE])
    expect_studies(stage, findings, Place.PACS, [JULE])
    expect_same_pixels(stage, findings, Place.CLOUD, stage.books.of_script(Script.MIGRATE))


def fetch_old_study(stage: Stage, findings: Findings) -> None:
    """Search the cloud from the PACS, and retrieve Jule's prior."""
    prior = stage.books.jules(StudyKind.PRIOR)
    answer = stage.pacs.find_in_cloud(patient_id(JULE))
    findings.expect_equal("The search of the cloud does not fail", "it answers", answer.failure or "it answers")
    expect_among(
        findings,
        "The PACS finds Jule's studies in the cloud",
        wanted=stage.books.expected(Place.CLOUD, [JULE]),
        found=answer.studies,
        noun="study",
    )
    count = stage.pacs.retrieve_from_cloud(prior.study_instance_uid)
    if findings.expect_equal("The study of 1994 is retrieved", images(prior.plan.number_of_instances), images(count)):
        stage.books.played.add(7)
    wait_until(lambda: prior.study_instance_uid in stage.pacs.studies_of(patient_id(JULE)), within_s=DELIVERED_WITHIN_S)
    expect_studies(stage, findings, Place.PACS, [JULE])
    expect_same_pixels(stage, findings, Place.PACS, [prior])
