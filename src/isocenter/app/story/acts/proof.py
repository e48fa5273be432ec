"""What the steps prove with: scripts that are acknowledged, studies where they belong, pixels that stay the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from isocenter.app.modality.scripts import SentImage, run_script
from isocenter.app.story.books import Place, given_name, patient_id
from isocenter.app.story.pacs import Pacs
from isocenter.app.story.stage import Stage
from isocenter.app.story.step import Findings
from isocenter.app.story.uid_sets import count, expect_among, expect_exactly
from isocenter.app.story.web_source import WebSource
from isocenter.modality.patients import STORY_PATIENTS
from isocenter.modality.story import Script, StoryStudy

DIGEST = "SHA-256 of the pixel data"
"""Not of the file: each archive may write the head of a file, and the elements around the pixels, in its own way."""
DIGEST_SHOWN = 16
"""Hexadecimal digits that people are shown; programs get all."""


def play_script(stage: Stage, findings: Findings, script: Script) -> bool:
    """Play a script, note what became of each image, and tell whether all were acknowledged."""

    def note(_image: SentImage) -> None:
        findings.on_change()

    report = run_script(
        script, stage.addresses, stage.mode, note, reduction=stage.images.reduction, make=stage.images.make
    )
    told = f"{len(report.acknowledged)} of {report.expected} images acknowledged by {report.peer}"
    findings.note(f"Script {script}", told, report.as_json())
    problem = f": {report.problems[0]}" if report.problems else ""
    return findings.expect(
        "Every image is acknowledged",
        report.held,
        wanted=images(report.expected),
        found=images(len(report.acknowledged)) + problem,
    )


def archive_at(stage: Stage, place: Place) -> Pacs | WebSource:
    """Return who is asked what is at a place."""
    return stage.pacs if place is Place.PACS else stage.cloud


def expect_studies(stage: Stage, findings: Findings, place: Place, patients: Sequence[int] = range(1, 9)) -> None:
    """Note that of the story's studies of patients a place has exactly those that the books say."""
    archive = archive_at(stage, place)
    found = {patient: stage.books.own(archive.studies_of(patient_id(patient))) for patient in patients}
    there = frozenset().union(*found.values())
    whose = "" if len(patients) == len(STORY_PATIENTS) else " of " + " and ".join(map(given_name, patients))
    expect = expect_exactly if stage.is_exclusive else expect_among
    expect(
        findings,
        f"{place_words(place)} has the right studies{whose}",
        wanted=stage.books.expected(place, patients),
        found=there,
        noun="study",
    )
    data = {f"{given_name(patient)}, patient {patient}": sorted(uids) for patient, uids in found.items()}
    findings.note(f"Studies in {the(place)}{whose}", count(there, "study"), data)


def expect_same_pixels(stage: Stage, findings: Findings, place: Place, studies: Sequence[StoryStudy]) -> None:
    """Note that what a place gives back of studies has the pixels that the device made."""
    made = {uid: text for study in studies for uid, text in stage.images.digests_of(study).items()}
    archive = archive_at(stage, place)
    found = {uid: text for study in studies for uid, text in archive.digests_of(study.study_instance_uid).items()}
    expect_same_digests(findings, place, made=made, found=found)


def expect_same_digests(findings: Findings, place: Place, *, made: Mapping[str, str], found: Mapping[str, str]) -> bool:
    """Note that digests are the same."""
    same = [uid for uid, text in made.items() if found.get(uid) == text]
    data: dict[str, Any] = {"of": DIGEST, "made": dict(made), "found": dict(found)}
    example = next(iter(made.values()), "")[:DIGEST_SHOWN]
    findings.note(f"{DIGEST} in {the(place)}", f"{len(same)} of {len(made)} the same, {example} … first", data)
    return findings.expect(
        f"The pixels in {the(place)} are those that the device made",
        len(same) == len(made) and len(found) == len(made),
        wanted=f"{count(made, 'instance')} with the same {DIGEST}",
        found=f"{len(same)} the same of {len(found)} found",
    )


def expect_counters(stage: Stage, findings: Findings, *, received_more: int | None = None, before: int = 0) -> None:
    """Note that the router's counters add up, and how much they rose."""
    counters = stage.router.overview().counters
    findings.note("Counters of the router", str(counters), counters.as_json())
    findings.expect("The counters add up", counters.adds_up, wanted="received = the sum of the rest", found=counters)
    if received_more is not None:
        more = counters.received - before
        is_met = more == received_more or (more > received_more and not stage.is_exclusive)
        text = "The router received each image for both archives" if received_more else "The router knew each image"
        findings.expect(text, is_met, wanted=f"{received_more} more", found=f"{more} more")


def images(number: int) -> str:
    """Return a number of images in words."""
    return f"{number} {'image' if number == 1 else 'images'}"


def the(place: Place) -> str:
    """Return how a place is called within a sentence."""
    return f"the {place}"


def place_words(place: Place) -> str:
    """Return how a place is called at the beginning of a sentence."""
    return f"The {place}"
