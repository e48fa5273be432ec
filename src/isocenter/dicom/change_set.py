"""What a bulk update may change, and the attributes that one asks for, read from DICOM JSON (dicom-service 11.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from isocenter.dicom.amend_text import Texts
from isocenter.dicom.dictionary import dictionary_vr, keyword_of, may_have_several_values, tag_of
from isocenter.dicom.json_document import read_document, values_of_document
from isocenter.dicom.minimum_rules import element_message, object_to_text
from isocenter.dicom.text import SINGLE_VALUED_VRS
from isocenter.dicom.vr_rules import objection_to
from isocenter.domain.errors import InvalidChanges, InvalidDataset

STUDY_INSTANCE_UID, SERIES_INSTANCE_UID, SOP_INSTANCE_UID = 0x0020000D, 0x0020000E, 0x00080018
UID_TAGS = frozenset({STUDY_INSTANCE_UID, SERIES_INSTANCE_UID, SOP_INSTANCE_UID})
"""Changing one of them moves what an update is about."""

UPDATABLE_KEYWORDS = (
    "PatientName",
    "PatientID",
    "OtherPatientIDs",
    "TypeOfPatientID",
    "OtherPatientNames",
    "PatientBirthName",
    "PatientMotherBirthName",
    "MedicalRecordLocator",
    "PatientAge",
    "Occupation",
    "ConfidentialityConstraintOnPatientDataDescription",
    "PatientBirthDate",
    "PatientBirthTime",
    "PatientSex",
    "QualityControlSubject",
    "PatientSize",
    "PatientWeight",
    "PatientAddress",
    "MilitaryRank",
    "BranchOfService",
    "CountryOfResidence",
    "RegionOfResidence",
    "PatientTelephoneNumbers",
    "EthnicGroup",
    "PatientReligiousPreference",
    "PatientComments",
    "ResponsiblePerson",
    "ResponsiblePersonRole",
    "ResponsibleOrganization",
    "PatientSpeciesDescription",
    "PatientBreedDescription",
    "BreedRegistrationNumber",
    "IssuerOfPatientID",
    "AccessionNumber",
    "ReferringPhysicianName",
    "StudyDescription",
)
ATTRIBUTES_MAX = 256
"""Names that are looked at; there are 39 that can be changed."""

_NOT_SUPPORTED = "Updating the tag is not supported"
_NOT_EMPTY = "Updating the tag to an empty value is not supported"
_ONE_VALUE = "Dicom element has multiple values, where it can have one."
_UNREADABLE = "The value cannot be read."


def updatable_tags() -> frozenset[int]:
    """Return what an update may change."""
    tags = [tag_of(keyword) for keyword in UPDATABLE_KEYWORDS]
    return frozenset(tag for tag in tags if tag is not None) | UID_TAGS


def parse_change_set(document: Mapping[str, object]) -> Texts:
    """Return VR and text of each attribute that is to change, by tag.

    Raises InvalidChanges, with a comment for each attribute that cannot be changed or not to that value.
    """
    if len(document) > ATTRIBUTES_MAX:
        raise InvalidChanges(f"An update changes at most {ATTRIBUTES_MAX} attributes.")
    comments: list[str] = []
    texts: dict[int, tuple[str, str]] = {}
    for name, content in document.items():
        tag = _tag(name)
        objections = list(_objections(tag, name, content, texts)) if tag is not None else [_NOT_SUPPORTED]
        comments += [_comment(tag, name, objection) for objection in objections[:1]]
    if comments:
        raise InvalidChanges("; ".join(comments), comments=tuple(comments))
    return dict(sorted(texts.items()))


def _tag(name: str) -> int | None:
    tag = tag_of(name)
    if tag is not None:
        return tag
    return int(name, 16) if len(name) == 8 and all(letter in "0123456789abcdefABCDEF" for letter in name) else None


def _comment(tag: int | None, name: str, message: str) -> str:
    place = f"({tag >> 16:04x},{tag & 0xFFFF:04x})" if tag is not None else f"({name[:64]})"
    return f"DICOM100: {place} - {message}"


def _objections(tag: int, name: str, content: object, texts: dict[int, tuple[str, str]]) -> Iterator[str]:
    """Yield what is wrong with an attribute; take its text where nothing is."""
    if tag not in updatable_tags():
        yield _NOT_SUPPORTED
        return
    vr = dictionary_vr(tag)
    values = _values(tag, name, content)
    if values is None:
        yield _UNREADABLE
        return
    given = str(content.get("vr") or vr) if isinstance(content, Mapping) else vr
    if given != vr:
        yield element_message(str(keyword_of(tag)), vr, f"The element is given with VR '{given[:16]}'.")
    if not any(values):
        yield _NOT_EMPTY
    parts = list(values) if vr in SINGLE_VALUED_VRS else "\\".join(values).split("\\")
    if len(parts) > 1 and not may_have_several_values(tag):
        yield _ONE_VALUE
    yield from _invalid_values(tag, vr, parts)
    texts[tag] = (vr, "\\".join(parts))


def _values(tag: int, name: str, content: object) -> list[str] | None:
    try:
        document = read_document({name: content})
    except InvalidDataset:
        return None
    return [str(value) for value in values_of_document(document).get(f"{tag:08X}", ())]


def _invalid_values(tag: int, vr: str, values: list[str]) -> Iterator[str]:
    for value in values:
        fewest = object_to_text(vr, value)
        if fewest is not None:
            yield element_message(str(keyword_of(tag)), vr, fewest.reason)
        elif (reason := objection_to(vr, value)) is not None:
            yield element_message(str(keyword_of(tag)), vr, f"{reason[0].upper()}{reason[1:]}.")
