"""C-FIND of the modality work list: the identifier of a request to a query, an entry to the identifier of a response.

A response holds the attributes that the request named, nothing else, and the one scheduled step that it is about
(PS3.4 K.6.1.2.2). Its text is in the character set that the request names, where that can write it, else as it is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from isocenter.dicom.charset import DEFAULT_CHARACTER_SET, CharacterSet
from isocenter.dicom.charset_encode import is_ascii, with_character_set
from isocenter.dicom.dataset import (
    SPECIFIC_CHARACTER_SET,
    Attribute,
    Dataset,
    character_set_of,
    decode_dataset,
    encode_dataset,
    is_text_vr,
    texts_of,
    vr_of,
)
from isocenter.dicom.dictionary import UNKNOWN_VR, keyword_of
from isocenter.dicom.model import Encoding
from isocenter.dicom.part10 import encoding_of
from isocenter.dimse.codec.find import ReturnKey
from isocenter.domain.errors import InvalidAttributeValue, InvalidRequest
from isocenter.domain.key import Key as SearchKey
from isocenter.domain.key import parse_value_match
from isocenter.domain.query import Between, ValueMatch
from isocenter.domain.worklist import (
    SCHEDULED_PROCEDURE_STEP_SEQUENCE,
    START_DATE,
    START_TIME,
    Key,
    PeriodKey,
    SequenceKey,
    StepState,
    ValueKey,
    WorklistEntry,
    WorklistQuery,
)

TIMEZONE_OFFSET_FROM_UTC = 0x00080201
QUERY_RETRIEVE_LEVEL = 0x00080052
_NEVER_MATCHED = frozenset({SPECIFIC_CHARACTER_SET, TIMEZONE_OFFSET_FROM_UTC, QUERY_RETRIEVE_LEVEL})
"""PS3.4 K.2.2.2; the level belongs to other models, and some devices send it here too."""


@dataclass(frozen=True, slots=True)
class WorklistRequest:
    """What the identifier of a request says."""

    query: WorklistQuery
    return_keys: Mapping[int, ReturnKey]
    character_set: str
    """As Specific Character Set names it; empty where the request does not."""
    has_unmatched_keys: bool
    """A key has a value that cannot be matched: the responses have status FF01."""

    @property
    def asks_for_nothing(self) -> bool:
        """Tell whether it has no keys, so that nothing matches (PS3.4 K.4.1.3.1)."""
        return not self.return_keys


@dataclass(slots=True)
class _Keys:
    """The keys of one data set while they are collected."""

    keys: list[Key] = field(default_factory=list)
    return_keys: dict[int, ReturnKey] = field(default_factory=dict)
    has_unmatched: bool = False


def decode_worklist_request(
    identifier: bytes, encoding: Encoding, *, states: frozenset[StepState] = frozenset(StepState)
) -> WorklistRequest:
    """Return what an identifier asks for, among the steps in some states.

    Raises InvalidDataset for bytes that are no data set, InvalidAttributeValue, with the tag, for a key that asks for
    what its VR cannot have.
    """
    dataset = decode_dataset(identifier, encoding)
    found = _collect(dataset, DEFAULT_CHARACTER_SET)
    named = dataset.get(SPECIFIC_CHARACTER_SET)
    return WorklistRequest(
        query=WorklistQuery(tuple(found.keys), states),
        return_keys=found.return_keys,
        character_set=named.value.decode("ascii", "replace").strip() if named is not None else "",
        has_unmatched_keys=found.has_unmatched,
    )


def _collect(dataset: Dataset, inherited: CharacterSet) -> _Keys:
    character_set = character_set_of(dataset, inherited)
    found = _Keys()
    matches: dict[int, ValueKey] = {}
    ranges: set[int] = set()
    for tag, attribute in dataset.items():
        if tag in _NEVER_MATCHED:
            continue
        vr = vr_of(tag) if attribute.vr == UNKNOWN_VR else attribute.vr
        if vr == "SQ":
            _collect_sequence(found, tag, attribute, character_set)
            continue
        found.return_keys[tag] = ReturnKey(vr)
        if attribute.is_empty:
            continue
        if not is_text_vr(vr):
            found.has_unmatched = True
            continue
        text = "\\".join(texts_of(attribute, character_set))
        match = _parse(tag, vr, text)
        if match is not None:
            matches[tag] = ValueKey(match, vr)
        if "-" in text:
            ranges.add(tag)
    found.keys += _joined_period(matches) if {START_DATE, START_TIME} <= ranges else matches.values()
    return found


def _collect_sequence(found: _Keys, tag: int, attribute: Attribute, character_set: CharacterSet) -> None:
    if len(attribute.items) > 1:
        raise InvalidAttributeValue("A key that is a sequence has one item.", tags=(tag,))
    nested = _collect(attribute.items[0], character_set) if attribute.items else _Keys()
    found.return_keys[tag] = ReturnKey("SQ", nested.return_keys)
    found.has_unmatched |= nested.has_unmatched
    if nested.keys:
        found.keys.append(SequenceKey(tag, tuple(nested.keys)))


def _parse(tag: int, vr: str, text: str) -> ValueMatch | None:
    try:
        return parse_value_match(SearchKey(tag, vr, text, keyword_of(tag) or ""))
    except InvalidRequest as error:
        raise InvalidAttributeValue(error.message, tags=(tag,)) from error


def _joined_period(keys: Mapping[int, ValueKey]) -> list[Key]:
    """Return keys with the range of the start date and that of the start time as one period."""
    day, time = keys[START_DATE].match, keys[START_TIME].match
    if not isinstance(day, Between) or not isinstance(time, Between):
        return list(keys.values())
    others: list[Key] = [key for tag, key in keys.items() if tag not in (START_DATE, START_TIME)]
    earliest = day.lowest + _to_microseconds(time.lowest or "00") if day.lowest else None
    latest = day.highest + (time.highest or "235959.999999") if day.highest else None
    return [*others, PeriodKey(START_DATE, START_TIME, earliest, latest)]


def _to_microseconds(time: str) -> str:
    whole, _, fraction = time.partition(".")
    return f"{whole.ljust(6, '0')}.{fraction.ljust(6, '0')}"


def encode_worklist_answer(request: WorklistRequest, entry: WorklistEntry, encoding: Encoding) -> bytes:
    """Return the identifier of the response that an entry is."""
    item = decode_dataset(entry.content, encoding_of(entry.transfer_syntax_uid))
    steps = item.get(SCHEDULED_PROCEDURE_STEP_SEQUENCE)
    if steps is not None:
        own = steps.items[entry.step_number : entry.step_number + 1]
        item = {**item, SCHEDULED_PROCEDURE_STEP_SEQUENCE: Attribute("SQ", items=own)}
    answer = _select(item, request.return_keys)
    offset = item.get(TIMEZONE_OFFSET_FROM_UTC)
    if offset is not None and not offset.is_empty:
        answer[TIMEZONE_OFFSET_FROM_UTC] = offset
    return encode_dataset(_in_set_of(request, dict(sorted(answer.items()))), encoding)


def _select(dataset: Dataset, wanted: Mapping[int, ReturnKey]) -> dict[int, Attribute]:
    """Return the attributes that are wanted, empty where there is no value, and the character set that they are in."""
    out: dict[int, Attribute] = {}
    if SPECIFIC_CHARACTER_SET in dataset:
        out[SPECIFIC_CHARACTER_SET] = dataset[SPECIFIC_CHARACTER_SET]
    for tag, key in wanted.items():
        attribute = dataset.get(tag)
        if attribute is None:
            out[tag] = Attribute(key.vr)
        elif key.nested and attribute.items:
            items = tuple(dict(sorted(_select(item, key.nested).items())) for item in attribute.items)
            out[tag] = Attribute("SQ", items=items)
        else:
            out[tag] = attribute
    return out


def _in_set_of(request: WorklistRequest, answer: Dataset) -> Dataset:
    if not request.character_set or is_ascii(answer):
        return answer
    return with_character_set(answer, request.character_set) or answer
