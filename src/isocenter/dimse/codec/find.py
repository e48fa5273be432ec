"""C-FIND of patients, studies, series and instances: what the identifier of a request asks for (PS3.4 C.4.1).

The keys of an identifier and the parameters of QIDO-RS become the same query. Keys on what lies below the level are
not matched unless relational queries were agreed on; they come back empty, as QIDO-RS passes over them with a warning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from isocenter.dicom.dataset import inflate_dataset, is_text_vr
from isocenter.dicom.element_view import SPECIFIC_CHARACTER_SET, ElementView, view_dataset
from isocenter.dicom.model import Encoding
from isocenter.dicom.search_key import make_key
from isocenter.dicom.text import NUMBER_FORMATS
from isocenter.dimse.codec.retrieve import QUERY_RETRIEVE_LEVEL, RetrieveModel
from isocenter.domain.attributes import (
    BY_KEYWORD,
    BY_TAG,
    COMPUTED_TAGS,
    MATCHED_COMPUTED_TAGS,
    MODALITIES_IN_STUDY,
    PATIENT_COUNTS,
    level_of,
)
from isocenter.domain.errors import InvalidKey
from isocenter.domain.identifiers import Level, is_uid
from isocenter.domain.key import Key, KeyRules
from isocenter.domain.matching import parse_keys
from isocenter.domain.moments import parse_offset
from isocenter.domain.query import InItem, Match, OneOf, Query

LEVELS = {"PATIENT": Level.PATIENT, "STUDY": Level.STUDY, "SERIES": Level.SERIES, "IMAGE": Level.INSTANCE}
QUERY_RETRIEVE_VIEW = 0x00080053
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

_LOWEST_GROUP = 0x0008
"""Below it are commands and file meta information, which some devices send along."""
_NEVER_KEYS = frozenset(
    {SPECIFIC_CHARACTER_SET, QUERY_RETRIEVE_LEVEL, QUERY_RETRIEVE_VIEW, RETRIEVE_AE_TITLE, INSTANCE_AVAILABILITY}
)
"""They say how a request or a response is meant."""
_MODALITY = BY_KEYWORD["Modality"].tag
_WILD_CARDS = frozenset("*?")


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
    """With the unique keys of the level and of those above, whether they were named or not."""
    header_tags: frozenset[int]
    """Those that an index does not keep."""
    character_set: str
    """As Specific Character Set names it; empty where the request does not."""
    has_unmatched_keys: bool
    """A key has a value that cannot be matched: the responses have status FF01."""
    tells_timezone: bool = False
    """Say in which zone dates and times are, where that is known."""


@dataclass(frozen=True, slots=True)
class FindOptions:
    """What was agreed on with the caller (PS3.4 C.5.1.1)."""

    is_relational: bool = False
    combines_dates_and_times: bool = False
    is_fuzzy: bool = False
    adjusts_timezone: bool = False
    has_empty_values: bool = False
    has_multiple_values: bool = False


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

    Raises InvalidDataset for bytes that are no data set, InvalidKey, with the tags at fault, where it does not fit the
    model or a key asks for what its VR cannot have.
    """
    view = view_dataset(inflate_dataset(content) if encoding.is_deflated else content, encoding)
    level = _level(view, model)
    above = _unique_keys_above(view, model, level, options)
    asked = _collect(view, _Place(level, is_relational=options.is_relational), passed=above)
    for each in model.levels:
        if each <= level:
            asked.return_keys.setdefault(UNIQUE_KEYS[each], ReturnKey("LO" if each is Level.PATIENT else "UI"))
    tags = asked.return_keys.keys()
    return FindRequest(
        query=Query(
            level=level,
            matches=(*_patient(above), *asked.matches(_rules(view, options))),
            study_instance_uid=above.get(STUDY_INSTANCE_UID),
            series_instance_uid=above.get(SERIES_INSTANCE_UID),
            with_patient_counts=not PATIENT_COUNTS.isdisjoint(tags),
        ),
        return_keys=asked.return_keys,
        header_tags=frozenset(tag for tag in tags if tag not in BY_TAG and tag not in COMPUTED_TAGS),
        character_set=view.character_set_terms.decode("ascii", "replace").strip(),
        has_unmatched_keys=asked.has_unmatched,
        tells_timezone=options.adjusts_timezone,
    )


def _level(view: ElementView, model: RetrieveModel) -> Level:
    level = LEVELS.get(view.text_of(QUERY_RETRIEVE_LEVEL).strip())
    if level is None or level not in model.levels:
        raise InvalidKey("The level is missing or not of this model.", tags=(QUERY_RETRIEVE_LEVEL,))
    return level


def _unique_keys_above(view: ElementView, model: RetrieveModel, level: Level, options: FindOptions) -> dict[int, str]:
    """Return the unique keys above the level that have one value, as each must unless queries are relational.

    PS3.4 C.4.1.2.1 and C.4.1.2.2.
    """
    found: dict[int, str] = {}
    for above in sorted(model.levels):
        if above >= level:
            break
        tag = UNIQUE_KEYS[above]
        values = view.values_of(tag)
        if len(values) == 1 and _is_single(values[0].strip(), above):
            found[tag] = values[0].strip()
        elif not options.is_relational:
            raise InvalidKey("A unique key above the level needs one value.", tags=(tag,))
    return found


def _is_single(text: str, level: Level) -> bool:
    return bool(text) and _WILD_CARDS.isdisjoint(text) if level is Level.PATIENT else is_uid(text)


def _patient(above: Mapping[int, str]) -> tuple[Match, ...]:
    return (OneOf(PATIENT_ID, (above[PATIENT_ID],)),) if PATIENT_ID in above else ()


def _rules(view: ElementView, options: FindOptions) -> KeyRules:
    timezone = view.text_of(TIMEZONE_OFFSET_FROM_UTC) if options.adjusts_timezone else ""
    return KeyRules(
        is_fuzzy=options.is_fuzzy,
        has_empty_values=options.has_empty_values,
        has_multiple_values=options.has_multiple_values,
        combines_dates_and_times=options.combines_dates_and_times,
        timezone_minutes=parse_offset(timezone.strip()),
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """Where keys stand: at a level, or in an item where there is none."""

    level: Level | None = None
    is_relational: bool = False


def _collect(view: ElementView, place: _Place, passed: Mapping[int, str]) -> _Asked:
    """Return the keys of a data set or an item, without those that are settled."""
    asked = _Asked()
    for tag in sorted(view):
        if tag in _NEVER_KEYS or not tag & 0xFFFF or tag >> 16 < _LOWEST_GROUP:
            continue
        if len(asked.return_keys) == KEYS_MAX:
            raise InvalidKey(f"A query has at most {KEYS_MAX} keys.", tags=(tag,))
        vr = view.vr_of(tag)
        if vr == "SQ":
            _collect_sequence(asked, tag, view)
            continue
        asked.return_keys[tag] = ReturnKey(vr)
        if tag != TIMEZONE_OFFSET_FROM_UTC and tag not in passed and not _is_universal(vr, view.raw(tag)):
            _collect_key(asked, tag, view, place)
    return asked


def _is_universal(vr: str, raw: bytes | None) -> bool:
    """Tell whether a key has no value, padding set apart (PS3.4 C.2.2.2.3)."""
    return not raw or (is_text_vr(vr) and vr not in NUMBER_FORMATS and not raw.strip(b" \0"))


def _collect_key(asked: _Asked, tag: int, view: ElementView, place: _Place) -> None:
    text = view.text_of(tag)
    if tag == _MODALITY and place.level is Level.STUDY:  # a study has none of its own, but series that have one
        tag = MODALITIES_IN_STUDY
    key = make_key(tag, text) if text and _is_matchable(tag, place) else None
    if key is None:
        asked.has_unmatched = True
    else:
        asked.keys.append(key)


def _is_matchable(tag: int, place: _Place) -> bool:
    """Tell whether a key may narrow a search: not what is merely counted, nor what lies below the level."""
    if tag in COMPUTED_TAGS and tag not in MATCHED_COMPUTED_TAGS:
        return False
    found = level_of(tag)
    if place.level is None or found is None or found <= place.level or place.is_relational:
        return True
    if tag in UNIQUE_KEYS.values():  # all of the level would be found instead of one
        raise InvalidKey("A unique key below the level has a value.", tags=(tag,))
    return False


def _collect_sequence(asked: _Asked, tag: int, view: ElementView) -> None:
    items = view.items_of(tag)
    if len(items) > 1:
        raise InvalidKey("A key that is a sequence has one item.", tags=(tag,))
    nested = _collect(items[0], _Place(), {}) if items else _Asked()
    asked.return_keys[tag] = ReturnKey("SQ", nested.return_keys)
    asked.has_unmatched |= nested.has_unmatched
    if nested.keys or nested.sequences:
        asked.sequences[tag] = nested
