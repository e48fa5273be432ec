"""Attributes of a query string by the standard: match on what can be matched, pass over the rest with a warning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from isocenter.dicom.dictionary import dictionary_vr
from isocenter.dicom.search_key import make_key
from isocenter.dicomweb.codec.attribute_name import parse_attribute_path
from isocenter.dicomweb.codec.qido_attributes import AttributeMatches
from isocenter.domain.attributes import BY_KEYWORD, COMPUTED_TAGS, MATCHED_COMPUTED_TAGS, MODALITIES_IN_STUDY, level_of
from isocenter.domain.errors import InvalidRequest
from isocenter.domain.identifiers import Level
from isocenter.domain.key import Key, KeyRules
from isocenter.domain.matching import parse_keys
from isocenter.domain.query import InItem, Match, Query

LIST_SEPARATORS = "\\,"
"""The standard writes a backslash or, for UIDs, a comma; viewers write commas for modalities too."""
NAME_SHOWN_MAX = 64
"""Characters of an unknown name in the answer; the longest keyword has 65."""

_MODALITY = BY_KEYWORD["Modality"].tag
_REPEATABLE_VRS = frozenset({"UI", "CS", "IS", "US"})


@dataclass(slots=True)
class _Asked:
    """The keys of a data set, or of the items of a sequence in it."""

    keys: dict[int, Key] = field(default_factory=dict)
    sequences: dict[int, _Asked] = field(default_factory=dict)

    def add(self, path: Sequence[int], key: Key) -> None:
        """Take a key; raise InvalidRequest where it is there already and takes no list."""
        if len(path) > 1:
            self.sequences.setdefault(path[0], _Asked()).add(path[1:], key)
            return
        earlier = self.keys.get(key.tag)
        if earlier is not None:
            if key.vr not in _REPEATABLE_VRS:
                raise InvalidRequest(f"Invalid query: the attribute {key.name} is specified more than once.")
            key = Key(key.tag, key.vr, f"{earlier.text}\\{key.text}", key.keyword, key.is_multi_valued)
        self.keys[key.tag] = key

    def matches(self, rules: KeyRules) -> tuple[Match, ...]:
        """Return what is asked for; a sequence of universal keys alone matches everything."""
        nested = ((tag, asked.matches(rules)) for tag, asked in self.sequences.items())
        return (
            *parse_keys(tuple(self.keys.values()), rules),
            *(InItem(tag, matches) for tag, matches in nested if matches),
        )


def parse_attributes(attributes: list[tuple[str, str]], scope: Query, *, rules: KeyRules) -> AttributeMatches:
    """Return what the attributes ask for at the level of a scope.

    Raises InvalidRequest for a name that is no attribute, a value that its VR does not allow, or a repeated attribute
    that takes no list.
    """
    asked = _Asked()
    warnings: list[str] = []
    for name, value in attributes:
        path = parse_attribute_path(name)
        if path is None:
            raise InvalidRequest(
                f"Invalid query: the parameter '{name[:NAME_SHOWN_MAX]}' is neither known nor the keyword or tag of an "
                "attribute."
            )
        path = _meant(path, scope.level)
        key = make_key(path[-1], value) if _is_matchable(path, scope.level) else None
        if key is None:
            warnings.append(f"The attribute {name} is not supported for matching here and was ignored.")
        else:
            asked.add(path, key)
    tags = tuple(dict.fromkeys((*asked.keys, *asked.sequences)))
    return AttributeMatches(asked.matches(rules), tags, tuple(warnings))


def _meant(path: tuple[int, ...], level: Level) -> tuple[int, ...]:
    """Return the path that is meant: a study has no modality of its own, but series that have one."""
    return (MODALITIES_IN_STUDY,) if path == (_MODALITY,) and level is Level.STUDY else path


def _is_matchable(path: Sequence[int], level: Level) -> bool:
    """Tell whether a path leads by sequences, to what is not of a lower level nor merely counted."""
    if any(dictionary_vr(tag) != "SQ" for tag in path[:-1]):
        return False
    found = level_of(path[0])
    is_computed = path[0] in COMPUTED_TAGS and path[0] not in MATCHED_COMPUTED_TAGS
    return not is_computed and (found is None or found <= level)
