"""Identifiers of C-MOVE and C-GET: unique keys to a selection, failed instances to a list (PS3.4 C.4.2.1.4, C.4.3.1.3).

Without relational retrieval every unique key above the level stands there with one value; at the level there may be
several UIDs. Other attributes do not belong there and are passed over, as other archives do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from isocenter.dicom.dataset import (
    Dataset,
    character_set_of,
    decode_dataset,
    encode_dataset,
    text_attribute,
    texts_of,
)
from isocenter.dicom.model import Encoding
from isocenter.domain.errors import InvalidAttributes
from isocenter.domain.identifiers import Level, is_uid
from isocenter.domain.selection import Selection

QUERY_RETRIEVE_LEVEL = 0x00080052
PATIENT_ID = 0x00100020
STUDY_INSTANCE_UID = 0x0020000D
SERIES_INSTANCE_UID = 0x0020000E
SOP_INSTANCE_UID = 0x00080018
FAILED_SOP_INSTANCE_UID_LIST = 0x00080058

_LEVELS = {"PATIENT": Level.PATIENT, "STUDY": Level.STUDY, "SERIES": Level.SERIES, "IMAGE": Level.INSTANCE}
_KEYS = {
    Level.PATIENT: PATIENT_ID,
    Level.STUDY: STUDY_INSTANCE_UID,
    Level.SERIES: SERIES_INSTANCE_UID,
    Level.INSTANCE: SOP_INSTANCE_UID,
}


@dataclass(frozen=True, slots=True)
class RetrieveModel:
    """The levels of an information model (PS3.4 C.6)."""

    levels: frozenset[Level]

    @property
    def top(self) -> Level:
        """Return the highest level."""
        return min(self.levels)


PATIENT_ROOT = RetrieveModel(frozenset(Level))
STUDY_ROOT = RetrieveModel(frozenset({Level.STUDY, Level.SERIES, Level.INSTANCE}))
PATIENT_STUDY_ONLY = RetrieveModel(frozenset({Level.PATIENT, Level.STUDY}))


def decode_retrieve_identifier(
    content: bytes, encoding: Encoding, model: RetrieveModel, *, is_relational: bool = False
) -> Selection:
    """Return what an identifier names.

    Raises InvalidAttributes, with the tags at fault, where it does not fit the model; InvalidDataset where it is none.
    """
    dataset = decode_dataset(content, encoding)
    level = _level(dataset, model)
    for above in sorted(model.levels):
        if above < level:
            _check_above(dataset, above, may_be_missing=is_relational)
    values = {each: _texts(dataset, tag) for each, tag in _KEYS.items()}
    if not values[level] or any(not value for value in values[level]):
        raise InvalidAttributes("The unique key of the level is missing.", tags=(_KEYS[level],))
    if level is Level.PATIENT and len(values[level]) > 1:
        raise InvalidAttributes("One patient can be asked for at a time.", tags=(PATIENT_ID,))
    for each in (Level.STUDY, Level.SERIES, Level.INSTANCE):
        if each <= level and not all(is_uid(uid) for uid in values[each]):
            raise InvalidAttributes("A unique key is no UID.", tags=(_KEYS[each],))
    patient_ids = values[Level.PATIENT] if model.top is Level.PATIENT else ()
    return Selection(
        level=level,
        patient_id=patient_ids[0] if patient_ids else None,
        study_instance_uids=values[Level.STUDY] if level >= Level.STUDY else (),
        series_instance_uids=values[Level.SERIES] if level >= Level.SERIES else (),
        sop_instance_uids=values[Level.INSTANCE] if level is Level.INSTANCE else (),
    )


def _level(dataset: Dataset, model: RetrieveModel) -> Level:
    texts = _texts(dataset, QUERY_RETRIEVE_LEVEL)
    level = _LEVELS.get(texts[0].strip()) if len(texts) == 1 else None
    if level is None or level not in model.levels:
        raise InvalidAttributes("The level is missing or not of this model.", tags=(QUERY_RETRIEVE_LEVEL,))
    return level


def _check_above(dataset: Dataset, level: Level, *, may_be_missing: bool) -> None:
    texts = _texts(dataset, _KEYS[level])
    if (not texts and not may_be_missing) or len(texts) > 1:
        raise InvalidAttributes("A unique key above the level needs one value.", tags=(_KEYS[level],))


def _texts(dataset: Dataset, tag: int) -> tuple[str, ...]:
    attribute = dataset.get(tag)
    return () if attribute is None else texts_of(attribute, character_set_of(dataset))


def encode_failed_list(sop_instance_uids: Sequence[str], encoding: Encoding) -> bytes:
    """Return the identifier of a final response."""
    return encode_dataset({FAILED_SOP_INSTANCE_UID_LIST: text_attribute("UI", *sop_instance_uids)}, encoding)
