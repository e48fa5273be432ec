"""How valid an instance must be to be kept, and what of it index and metadata leave out (dicom-service 2.5).

    none         the identifying UIDs (`identify`): what comes by DIMSE and under the standard root
    searchable   Azure's version 1: every attribute that Azure searches by keeps the fewest rules, or nothing is kept
    tolerant     Azure's version 2 and its import: the required attributes do; what else is invalid is in the file alone

Where an instance came from says how it was validated, so that a reindex validates it again in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from isocenter.archive.identify import (
    SERIES_INSTANCE_UID,
    SOP_CLASS_UID,
    SOP_INSTANCE_UID,
    STUDY_INSTANCE_UID,
    comment_on,
    missing,
)
from isocenter.dicom.charset import parse_character_set
from isocenter.dicom.minimum_rules import element_message, object_to_text
from isocenter.dicom.scan import ScannedHeader
from isocenter.dicom.text import CHARSET_DELIMITERS
from isocenter.dicom.validation import find_flaws
from isocenter.dicom.validation_plan import Flaw
from isocenter.dicom.walk import Element
from isocenter.domain.attributes import BY_KEYWORD, BY_TAG, IndexedAttribute
from isocenter.domain.errors import InvalidDataset

PATIENT_ID = BY_KEYWORD["PatientID"].tag
_SPECIFIC_CHARACTER_SET = 0x00080005
REQUIRED_UIDS = (STUDY_INSTANCE_UID, SERIES_INSTANCE_UID, SOP_INSTANCE_UID, SOP_CLASS_UID)
REQUIRED_TAGS = frozenset({*REQUIRED_UIDS, PATIENT_ID})
SEARCHABLE_TAGS = frozenset(
    BY_KEYWORD[keyword].tag
    for keyword in (
        "StudyInstanceUID",
        "StudyDate",
        "StudyDescription",
        "AccessionNumber",
        "PatientID",
        "PatientName",
        "PatientBirthDate",
        "ReferringPhysicianName",
        "SeriesInstanceUID",
        "Modality",
        "PerformedProcedureStepStartDate",
        "ManufacturerModelName",
        "SOPInstanceUID",
    )
)
"""What Azure's service keeps in its index; of several values it keeps the first."""
_REQUIRED = tuple(sorted(REQUIRED_TAGS))
_REQUIRED_OR_SEARCHABLE = tuple(sorted(REQUIRED_TAGS | SEARCHABLE_TAGS))
_CORE = REQUIRED_TAGS | SEARCHABLE_TAGS | {_SPECIFIC_CHARACTER_SET}
_VRS_BY_TAG: Mapping[int, tuple[str | None, ...]] = {
    tag: (BY_TAG[tag].vr, None, "UN") for tag in REQUIRED_TAGS | SEARCHABLE_TAGS
}
"""How an attribute may be encoded: in its own VR, or in an encoding that does not tell one."""
COMMENTS_MAX = 256
"""More in one answer say nothing more."""

SOURCE_V1, SOURCE_V2 = "stow-v1", "stow-v2"
SOURCE_IMPORT = "bulk-import"
"""What Azure's service imports it stores as by its latest version (dicom-service 11.3)."""


@dataclass(frozen=True, slots=True)
class Validation:
    """What is asked of the values of an instance."""

    is_tolerant: bool
    """Only required attributes are fatal, and NULs behind a value are padding."""
    is_full: bool = False
    """Every element of the data set itself must be valid (`EnableFullDicomItemValidation`)."""

    @property
    def looks_at_all(self) -> bool:
        """Tell whether every value is looked at."""
        return self.is_tolerant or self.is_full


def validation_of(source: str, *, is_full: bool = False) -> Validation | None:
    """Return what is asked of an instance by where it comes from; None where its identity is enough."""
    if source not in (SOURCE_V1, SOURCE_V2, SOURCE_IMPORT):
        return None
    return Validation(is_tolerant=source != SOURCE_V1, is_full=is_full)


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found in an instance that can be kept."""

    attributes: Mapping[int, str]
    """What is to be indexed."""
    comments: tuple[str, ...] = ()
    """A sentence for each attribute that is invalid. They hold values: for the sender, never for a log."""
    invalid_paths: tuple[str, ...] = ()
    """Elements that metadata leaves out, as `validation_plan` names them."""
    has_several_values: bool = False
    """A searchable attribute has more than one value, of which the first is indexed."""


def validate(header: ScannedHeader, validation: Validation) -> Findings:
    """Return what is to be kept of an instance and what is to be said of it.

    Raises InvalidDataset, with a comment for each attribute, where it cannot be kept.
    """
    attributes = header.scanned.attributes
    tags = _REQUIRED if validation.is_tolerant else _REQUIRED_OR_SEARCHABLE
    lies = {element[0]: element for element in header.elements if element[0] in _CORE}
    if not _keeps_core_rules(header, lies, tags, is_tolerant=validation.is_tolerant):
        core = _CoreAttributes(header, lies, is_tolerant=validation.is_tolerant)
        comments = [comment for tag in tags if (comment := core.objection_to(tag))]
        if comments:
            raise InvalidDataset("; ".join(comments), comments=tuple(comments))
    if not validation.looks_at_all:
        return _findings(attributes, {}, ())
    flaws = _flaws(header, lies)
    if validation.is_full:
        _refuse([flaw for flaw in flaws if not flaw.is_nested])
    if not validation.is_tolerant:
        return _findings(attributes, {}, ())
    reasons = {flaw.tag: flaw.reason for flaw in reversed(flaws)}
    if PATIENT_ID not in attributes:
        reasons[PATIENT_ID] = missing(PATIENT_ID)
    if flaws:
        invalid = {flaw.tag for flaw in flaws if not flaw.is_nested}
        attributes = {tag: value for tag, value in attributes.items() if tag not in invalid}
    return _findings(attributes, reasons, tuple([flaw.path for flaw in flaws]))


def _findings(attributes: Mapping[int, str], reasons: Mapping[int, str], paths: tuple[str, ...]) -> Findings:
    several = [tag for tag, text in attributes.items() if "\\" in text and tag in SEARCHABLE_TAGS]
    if several:
        attributes = {**attributes, **{tag: attributes[tag].split("\\")[0] for tag in several}}
    comments = [comment_on(tag, reasons[tag]) for tag in sorted(reasons)[:COMMENTS_MAX]]
    return Findings(attributes, tuple(comments), paths, bool(several))


def _flaws(header: ScannedHeader, lies: Mapping[int, Element]) -> list[Flaw]:
    """Return what is invalid beside the required attributes, for which fewer rules hold."""
    elements = header.everything or header.elements  # with a plan, the first ones tell the character set
    found = find_flaws(header.buffer, elements, end=header.end, plan=header.plan)
    flaws = [flaw for flaw in found if flaw.is_nested or flaw.tag not in REQUIRED_TAGS]
    for tag, element in lies.items():
        coded_vr = element[1]
        if coded_vr not in _VRS_BY_TAG.get(tag, (coded_vr,)) and tag not in REQUIRED_TAGS:
            flaws.append(Flaw(tag, f"{tag:08X}", _other_vr(BY_TAG[tag], str(coded_vr))))
    return flaws


def _keeps_core_rules(
    header: ScannedHeader, lies: Mapping[int, Element], tags: Sequence[int], *, is_tolerant: bool
) -> bool:
    """Tell whether there is surely no objection to the core attributes, by their texts as the index has them."""
    attributes = header.scanned.attributes
    for tag in tags:
        element, text = lies.get(tag), attributes.get(tag)
        if element is None or not text:
            if tag in REQUIRED_TAGS or (element is not None and element[3]):
                return False
            continue
        if element[1] not in _VRS_BY_TAG[tag] or object_to_text(BY_TAG[tag].vr, text) is not None:
            return False
        if not is_tolerant and _ends_in_nul(header, element, BY_TAG[tag].vr):
            return False
    return True


def _ends_in_nul(header: ScannedHeader, element: Element, vr: str) -> bool:
    """Tell whether a NUL is behind a value that its text has lost, where that is no padding: in UIDs it is."""
    return vr != "UI" and header.buffer[element[2] + element[3] - 1] == 0


def _refuse(flaws: Sequence[Flaw]) -> None:
    if flaws:
        comments = [comment_on(flaw.tag, flaw.reason) for flaw in flaws[:COMMENTS_MAX]]
        raise InvalidDataset("Values of the data set are not valid for their VR.", comments=tuple(comments))


def _other_vr(attribute: IndexedAttribute, coded_vr: str) -> str:
    return element_message(attribute.keyword, attribute.vr, f"The element is encoded with VR '{coded_vr}'.")


class _CoreAttributes:
    """The attributes of one header that the fewest rules are for."""

    def __init__(self, header: ScannedHeader, lies: Mapping[int, Element], *, is_tolerant: bool) -> None:
        self._buffer = header.buffer
        self._is_tolerant = is_tolerant
        self._lies = lies

    def objection_to(self, tag: int) -> str | None:
        """Return the comment on an attribute that makes an instance impossible to keep."""
        element = self._lies.get(tag)
        if element is None:
            return comment_on(tag, missing(tag)) if tag in REQUIRED_TAGS else None
        attribute, coded_vr = BY_TAG[tag], element[1]
        text = self._first_value(element, attribute.vr)
        if not text:
            may_be_empty = tag not in REQUIRED_TAGS or (tag == PATIENT_ID and self._is_tolerant)
            return None if may_be_empty else comment_on(tag, missing(tag))
        if coded_vr not in (None, "UN", attribute.vr):
            return comment_on(tag, _other_vr(attribute, str(coded_vr)))
        objection = object_to_text(attribute.vr, text)
        if objection is None:
            return None
        return comment_on(tag, element_message(attribute.keyword, attribute.vr, objection.reason))

    def _first_value(self, element: Element, vr: str) -> str:
        _, _, offset, length, _ = element
        value = bytes(self._buffer[offset : offset + length])
        text = self._decode(value, vr)
        text = text.rstrip("\0 ") if self._is_tolerant or vr == "UI" else text
        return text.split("\\", 1)[0].rstrip(" ")

    def _decode(self, value: bytes, vr: str) -> str:
        if vr not in CHARSET_DELIMITERS or (value.isascii() and b"\x1b" not in value):
            return value.decode("latin-1")
        named = self._lies.get(_SPECIFIC_CHARACTER_SET)
        named_value = b"" if named is None else bytes(self._buffer[named[2] : named[2] + named[3]])
        return parse_character_set(named_value).decode(value, delimiters=CHARSET_DELIMITERS[vr])
