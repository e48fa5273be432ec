"""Steps 4 and 5: the PACS sends to the cloud, and a device sends through the router to both."""

from __future__ import annotations

import httpx

from isocenter.app.story.acts.proof import (
    expect_counters,
    expect_same_pixels,
    expect_studies,
    images,
    play_script,
)
from isocenter.app.story.books import JULE, Place
from isocenter.app.story.stage import DELIVERED_WITHIN_S, Stage, wait_until
from isocenter.app.story.step import Findings
from isocenter.modality.story import Script, StudyKind

PNG = "image/png"
FIFTH = 5


def send_jules_study(stage: Stage, findings: Findings) -> None:
    """Have the PACS send Jule's recent study to QIETOAZURE."""
    study = stage.books.jules(StudyKind.RECENT)
    count = stage.pacs.send_to_cloud(study.study_instance_uid)
    if findings.expect_equal("The PACS sends the whole study", images(study.plan.number_of_instances), images(count)):
        stage.books.played.add(4)
    expect_studies(stage, findings, Place.CLOUD, [JULE])
    expect_same_pixels(stage, findings, Place.CLOUD, [study])
    expect_picture(stage, findings, study.study_instance_uid)


def send_through_router(stage: Stage, findings: Findings) -> None:
    """Send new studies of five patients to QIEROUTER."""
    before = stage.router.overview().counters.received
    is_known = FIFTH in stage.books.played  # the same images again are acknowledged, and need no delivery
    sent = [play_script(stage, findings, script) for script in (Script.TO_ROUTER, Script.TO_ROUTER_EXTRA)]
    if all(sent):
        stage.books.played.add(FIFTH)
    in_time = wait_until(lambda: stage.router.overview().counters.waiting == 0, within_s=DELIVERED_WITHIN_S)
    findings.expect(
        "Everything is delivered",
        in_time,
        wanted="nothing waits",
        found=f"{stage.router.overview().counters.waiting} wait",
    )
    studies = [*stage.books.of_script(Script.TO_ROUTER), *stage.books.of_script(Script.TO_ROUTER_EXTRA)]
    instances = sum(study.plan.number_of_instances for study in studies)
    expect_counters(stage, findings, received_more=0 if is_known else len(Place) * instances, before=before)
    for place in Place:
        expect_studies(stage, findings, place)
        expect_same_pixels(stage, findings, place, studies)


def expect_picture(stage: Stage, findings: Findings, study: str) -> None:
    """Note that the cloud shows a picture of a study."""
    picture = stage.cloud.picture_of(study)
    size = f"{picture.status}, {picture.media_type}, {len(picture.content):,} bytes"
    is_one = picture.status == httpx.codes.OK and picture.content.startswith(b"\x89PNG")
    findings.expect("The cloud shows the picture", is_one, wanted=f"200, {PNG}", found=size)
