"""C-FIND of patients, studies, series and instances: an identifier to a query, a row to the identifier of a response.

The keys of an identifier and the parameters of QIDO-RS become the same query. A response holds the attributes that the
request named, and what says how it is meant (PS3.4 C.4.1.1.3). Its text is in the character set that the request names
where that can write it, else in UTF-8.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from isocenter.dicom.charset import DEFAULT_CHARACTER_SET, CharacterSet
from isocenter.dicom.charset_encode import UTF_8_TERM, is_ascii, with_character_set
from isocenter.dicom.dataset import (
    SPECIFIC_CHARACTER_SET,
    Attribute,
    Dataset,
    character_set_of,
    decode_dataset,
    encode_dataset,
    is_text_vr,
    text_attribute,
    texts_of,
    vr_of,
)
from isocenter.dicom.dictionary import UNKNOWN_VR
from isocenter.dicom.element_view import ElementView
from isocenter.dicom.model import Encoding
from isocenter.dicom.search_key import make_key
from isocenter.dicom.text import NUMBER_FORMATS, NUMBER_SIZES
from isocenter.dimse.codec.retrieve import QUERY_RETRIEVE_LEVEL, RetrieveModel
from isocenter.domain.attributes import (
    BY_TAG,
    COMPUTED_TAGS,
    MATCHED_COMPUTED_TAGS,
    NUMBER_OF_PATIENT_RELATED_INSTANCES,
    NUMBER_OF_PATIENT_RELATED_SERIES,
    NUMBER_OF_PATIENT_RELATED_STUDIES,
    level_of,
)
from isocenter.domain.errors import InvalidAttributes
from isocenter.domain.identifiers import Level, is_uid
from isocenter.domain.key import Key, KeyRules
from isocenter.domain.matching import parse_keys
from isocenter.domain.query import InItem, Match, Query, SearchRow

LEVELS = {"PATIENT": Level.PATIENT, "STUDY": Level.STUDY, "SERIES": Level.SERIES, "IMAGE": Level.INSTANCE}
LEVEL_NAMES = {level: name for name, level in LEVELS.items()}
RETRIEVE_AE_TITLE = 0x00080054
INSTANCE_AVAILABILITY = 0x00080056
TIMEZONE_OFFSET_FROM_UTC = 0x00080201
PATIENT_ID, STUDY_INSTANCE_UID = 0x00100020, 0x0020000D
SERIES_INSTANCE_UID, SOP_INSTANCE_UID = 0x0020000E, 0x00080018
UNIQUE_KEYS = {
    Level.PATIENT: PATIENT_ID,
    Level.STUDY: STUDY_INSTANCE_UID,
    Level.SERIES: SERIES_INSTANCE_UID,
    Level.INSTANCE: SOP_INSTANCE_UID,
}
KEYS_MAX = 512
"""Far beyond any device's list; each costs a look into a header."""
BINARY_LENGTH_MAX = 64 * 1024
"""Of a value that is no text; what is longer is bulk, which no query gives."""
_NEVER_KEYS = frozenset({SPECIFIC_CHARACTER_SET, QUERY_RETRIEVE_LEVEL, RETRIEVE_AE_TITLE, INSTANCE_AVAILABILITY})
_PATIENT_COUNTS = frozenset(
    {NUMBER_OF_PATIENT_RELATED_STUDIES, NUMBER_OF_PATIENT_RELATED_SERIES, NUMBER_OF_PATIENT_RELATED_INSTANCES}
)
_ONLINE = text_attribute("CS", "ONLINE")


@dataclass(frozen=True, slots=True)
class ReturnKey:
    """An attribute that a response holds; of a sequence the attributes of its items, all where none is named."""

    vr: str
    nested: Mapping[int, ReturnKey] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FindRequest:
    """What the identifier of a request says."""

    query: Query
    return_keys: Mapping[int, ReturnKey]
    header_tags: frozenset[int]
    """Those that an index does not keep."""
    character_set: str
    has_unmatched_keys: bool
    """A key has a value that cannot be matched: the responses have status FF01."""


@dataclass(frozen=True, slots=True)
class FindOptions:
    """What was agreed on with the caller (PS3.4 C.5.1.1)."""

    is_relational: bool = False
    combines_dates_and_times: bool = False
    is_fuzzy: bool = False
    adjusts_timezone: bool = False


@dataclass(slots=True)
class _Asked:
    """The keys of one data set while they are collected."""

    keys: list[Key] = field(default_factory=list)
    sequences: dict[int, _Asked] = field(default_factory=dict)
    return_keys: dict[int, ReturnKey] = field(default_factory=dict)
    has_unmatched: bool = False

    def matches(self, rules: KeyRules) -> tuple[Match, ...]:
        """Return what is asked for; a sequence of universal keys alone matches everything."""
        nested = ((tag, asked.matches(rules)) for tag, asked in self.sequences.items())
        return (*parse_keys(self.keys, rules), *(InItem(tag, matches) for tag, matches in nested if matches))


def decode_find_identifier(
    content: bytes, encoding: Encoding, model: RetrieveModel, options: FindOptions
) -> FindRequest:
    """Return what an identifier asks for.

    Raises InvalidDataset for bytes that are no data set, InvalidAttributes or InvalidKey, with the tags at fault, where
    it does not fit the model or a key asks for what its VR cannot have.
    """
    dataset = decode_dataset(content, encoding)
    if len(dataset) > KEYS_MAX:
        raise InvalidAttributes(f"A query has at most {KEYS_MAX} keys.")
    level = _level(dataset, model)
    rules = KeyRules(
        is_fuzzy=options.is_fuzzy,
        combines_dates_and_times=options.combines_dates_and_times,
        timezone_minutes=_timezone(dataset) if options.adjusts_timezone else None,
    )
    asked = _collect(dataset, DEFAULT_CHARACTER_SET, level=level)
    above = _scope(dataset, model, level, options)
    keys = [key for key in asked.keys if key.tag not in above]
    matches = _Asked(keys, asked.sequences).matches(rules)
    named = dataset.get(SPECIFIC_CHARACTER_SET)
    return FindRequest(
        query=Query(
            level=level,
            matches=(*matches, *_matches_above(above, model)),
            study_instance_uid=above.get(STUDY_INSTANCE_UID),
            series_instance_uid=above.get(SERIES_INSTANCE_UID),
            with_patient_counts=not _PATIENT_COUNTS.isdisjoint(asked.return_keys),
        ),
        return_keys=asked.return_keys,
        header_tags=frozenset(tag for tag in asked.return_keys if tag not in BY_TAG and tag not in COMPUTED_TAGS),
        character_set=named.value.decode("ascii", "replace").strip(" \0") if named is not None else "",
        has_unmatched_keys=asked.has_unmatched,
    )


def _level(dataset: Dataset, model: RetrieveModel) -> Level:
    texts = _texts(dataset, QUERY_RETRIEVE_LEVEL)
    level = LEVELS.get(texts[0].strip()) if len(texts) == 1 else None
    if level is None or level not in model.levels:
        raise InvalidAttributes("The level is missing or not of this model.", tags=(QUERY_RETRIEVE_LEVEL,))
    return level


def _scope(dataset: Dataset, model: RetrieveModel, level: Level, options: FindOptions) -> dict[int, str]:
    """Return the unique keys above the level, each with its one value (PS3.4 C.4.1.2.1)."""
    found: dict[int, str] = {}
    for above in sorted(model.levels):
        if above >= level:
            break
        tag = UNIQUE_KEYS[above]
        texts = tuple(text for text in _texts(dataset, tag) if text.strip("*"))
        if len(texts) == 1 and (above is Level.PATIENT or is_uid(texts[0])):
            found[tag] = texts[0]
        elif not options.is_relational:
            raise InvalidAttributes("A unique key above the level needs one value.", tags=(tag,))
    return found


def _matches_above(above: Mapping[int, str], model: RetrieveModel) -> tuple[Match, ...]:
    patient_id = above.get(PATIENT_ID) if Level.PATIENT in model.levels else None
    key = None if patient_id is None else make_key(PATIENT_ID, patient_id)
    return () if key is None else parse_keys([key])


def _timezone(dataset: Dataset) -> int | None:
    """Return the zone in which the keys are meant, in minutes (PS3.4 C.2.2.2.6), None where it is not named."""
    texts = _texts(dataset, TIMEZONE_OFFSET_FROM_UTC)
    text = texts[0].strip() if texts else ""
    if len(text) != 5 or text[0] not in "+-" or not text[1:].isdigit():
        return None
    minutes = int(text[1:3]) * 60 + int(text[3:])
    return -minutes if text[0] == "-" else minutes


def _texts(dataset: Dataset, tag: int) -> tuple[str, ...]:
    attribute = dataset.get(tag)
    return () if attribute is None else texts_of(attribute, character_set_of(dataset))


def _collect(dataset: Dataset, inherited: CharacterSet, *, level: Level | None = None) -> _Asked:
    character_set = character_set_of(dataset, inherited)
    asked = _Asked()
    for tag, attribute in dataset.items():
        if tag in _NEVER_KEYS:
            continue
        vr = vr_of(tag) if attribute.vr == UNKNOWN_VR else attribute.vr
        if vr == "SQ":
            _collect_sequence(asked, tag, attribute, character_set)
            continue
        asked.return_keys[tag] = ReturnKey(vr)
        if attribute.is_empty or tag == TIMEZONE_OFFSET_FROM_UTC:
            continue
        text = "\\".join(texts_of(attribute, character_set)) if is_text_vr(vr) else ""
        key = make_key(tag, text)
        if key is None or not text or not _is_matchable(tag, level):
            asked.has_unmatched = True
        else:
            asked.keys.append(key)
    return asked


def _is_matchable(tag: int, level: Level | None) -> bool:
    """Tell whether a key may narrow a search at a level: not what is merely counted, nor what lies below it."""
    if tag in COMPUTED_TAGS and tag not in MATCHED_COMPUTED_TAGS:
        return False
    found = level_of(tag)
    return level is None or found is None or found <= level


def _collect_sequence(asked: _Asked, tag: int, attribute: Attribute, character_set: CharacterSet) -> None:
    if len(attribute.items) > 1:
        raise InvalidAttributes("A key that is a sequence has one item.", tags=(tag,))
    nested = _collect(attribute.items[0], character_set) if attribute.items else _Asked()
    asked.return_keys[tag] = ReturnKey("SQ", nested.return_keys)
    asked.has_unmatched |= nested.has_unmatched
    if nested.keys or nested.sequences:
        asked.sequences[tag] = nested


def encode_find_answer(
    request: FindRequest, row: SearchRow, header: ElementView | None, *, retrieve_ae_title: str, encoding: Encoding
) -> bytes:
    """Return the identifier of the response that a row is; `header` has what the index does not keep."""
    answer: dict[int, Attribute] = {
        QUERY_RETRIEVE_LEVEL: text_attribute("CS", LEVEL_NAMES[request.query.level]),
        RETRIEVE_AE_TITLE: text_attribute("AE", retrieve_ae_title),
        INSTANCE_AVAILABILITY: _ONLINE,
        UNIQUE_KEYS[request.query.level]: Attribute("UI"),
    }
    for tag, key in (*request.return_keys.items(), (UNIQUE_KEYS[request.query.level], None)):
        vr = key.vr if key is not None else vr_of(tag)
        if tag in request.header_tags:
            answer[tag] = _from_header(tag, key, header)
        else:
            answer[tag] = _from_index(vr, row.attributes.get(tag, ""))
    return encode_dataset(_written(request, dict(sorted(answer.items()))), encoding)


def _from_index(vr: str, text: str) -> Attribute:
    if vr in NUMBER_FORMATS:
        return Attribute(vr, _numbers(vr, text))
    return text_attribute(vr, text)


def _numbers(vr: str, text: str) -> bytes:
    convert = float if vr in ("FL", "FD") else int
    try:
        values = [convert(value) for value in text.split("\\")] if text else []
        return struct.pack(f"<{len(values)}{NUMBER_FORMATS[vr]}", *values)
    except (ValueError, struct.error):
        return b""


def _from_header(tag: int, key: ReturnKey | None, header: ElementView | None) -> Attribute:
    """Return an attribute as the header has it, its text in UTF-8; empty where it has none."""
    vr = key.vr if key is not None else vr_of(tag)
    if header is None or tag not in header:
        return Attribute(vr)
    vr = header.vr_of(tag)
    if vr == "SQ":
        nested = key.nested if key is not None else {}
        return Attribute("SQ", items=tuple(_item(item, nested) for item in header.items_of(tag)))
    if is_text_vr(vr) and vr not in NUMBER_FORMATS:
        return text_attribute(vr, header.text_of(tag))
    return Attribute(vr, _little_endian(vr, header, tag))


def _little_endian(vr: str, header: ElementView, tag: int) -> bytes:
    raw, size = header.raw(tag) or b"", NUMBER_SIZES.get(vr, 2 if vr in ("AT", "OW") else 1)
    if len(raw) > BINARY_LENGTH_MAX:
        return b""
    if header.is_little_endian or size == 1 or len(raw) % size:
        return raw
    return b"".join(raw[at : at + size][::-1] for at in range(0, len(raw), size))


def _item(item: ElementView, wanted: Mapping[int, ReturnKey]) -> Dataset:
    tags = wanted or dict.fromkeys(item)
    return {tag: _from_header(tag, wanted.get(tag), item) for tag in sorted(tags) if tag != SPECIFIC_CHARACTER_SET}


def _written(request: FindRequest, answer: Dataset) -> Dataset:
    """Return an answer, whose text is in UTF-8, in a character set that the caller reads."""
    if is_ascii(answer):
        return answer
    named = {SPECIFIC_CHARACTER_SET: text_attribute("CS", UTF_8_TERM), **answer}
    answer = dict(sorted(named.items()))
    if not request.character_set:
        return answer
    return with_character_set(answer, request.character_set) or answer
