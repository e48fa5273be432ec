"""What devices do wrong, as switches (routing-and-gateway 3.15): each with what it is good for."""

from __future__ import annotations

from dataclasses import dataclass

CONTEXTS_MAX = 1280
"""Ten associations of 128; more than a device ever proposes."""
DUPLICATES_MAX = 10_000
FRAMES_MAX = 100_000
"""An hour of fluoroscopy."""


@dataclass(frozen=True, slots=True)
class Misbehaviour:
    """What a device does wrong in one study; as it stands, nothing."""

    tells_no_step: bool = False
    asks_no_commitment: bool = False
    duplicates: int = 0
    wrong_patient: bool = False
    late_series_s: float | None = None
    abort_after: int | None = None
    character_set: str | None = None
    private_tags: bool = False
    burned_in_text: bool = False
    implicit_vr: bool = False
    contexts: int | None = None
    huge_multiframe: int | None = None


@dataclass(frozen=True, slots=True)
class Switch:
    """How a misbehaviour is asked for."""

    name: str
    """Of the field of `Misbehaviour`."""
    flag: str
    line: str
    """What the device does, and what that is good for."""
    metavar: str = ""
    """Empty where it takes no value."""


SWITCHES = (
    Switch(
        "tells_no_step",
        "--no-mpps",
        "Tell nobody of the performed procedure step: completeness has to come from other evidence.",
    ),
    Switch(
        "asks_no_commitment",
        "--no-commit",
        "Ask for no storage commitment, as most devices: an acknowledged C-STORE is all the proof there is.",
    ),
    Switch(
        "duplicates",
        "--duplicates",
        "Send the first N images once more at the end: what is there already must be harmless.",
        "N",
    ),
    Switch(
        "wrong_patient",
        "--wrong-patient",
        "Send images under another patient's name and id, with the order's study UID and accession number: the "
        "mistake that reconciliation is for.",
    ),
    Switch(
        "late_series_s",
        "--late-series",
        "Send one more series so long after the step was completed (by --pace): a study that was whole grows.",
        "SECONDS",
    ),
    Switch(
        "abort_after",
        "--abort-after",
        "Abort the association in the middle of the image behind N, and discontinue the step: half a study, half an "
        "instance.",
        "N",
    ),
    Switch(
        "character_set",
        "--character-set",
        "Write names in another character set, or 'mislabelled': UTF-8 that is declared Latin 1. For searches and "
        "work lists.",
        "SET",
    ),
    Switch(
        "private_tags",
        "--private-tags",
        "Add private blocks with numbers, bytes and a name: for de-identification, and archives that drop them.",
    ),
    Switch(
        "burned_in_text",
        "--burned-in-text",
        "Write the patient's name into the pixels: for pixel redaction and its check.",
    ),
    Switch(
        "implicit_vr",
        "--implicit-vr",
        "Know Implicit VR Little Endian alone: a router has to convert it for a cloud that takes explicit VR only.",
    ),
    Switch(
        "contexts",
        "--contexts",
        "Propose N presentation contexts; more than 128 need several associations at once (PS3.8 9.3.2.2). For limits "
        "on both.",
        "N",
    ),
    Switch(
        "huge_multiframe",
        "--huge-multiframe",
        "Send one instance of so many frames in place of the study: memory has to stay flat on the way.",
        "FRAMES",
    ),
)
