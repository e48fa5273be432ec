"""Attributes of a query string by the standard: match on what is indexed, pass over the rest with a warning."""

from __future__ import annotations

from isocenter.dicomweb.codec.attribute_name import parse_attribute_path
from isocenter.dicomweb.codec.qido_attributes import MATCHABLE, AttributeMatches
from isocenter.domain.attributes import BY_KEYWORD, MODALITIES_IN_STUDY, IndexedAttribute
from isocenter.domain.errors import InvalidRequest
from isocenter.domain.identifiers import Level
from isocenter.domain.matching import parse_match
from isocenter.domain.query import Query

LIST_SEPARATORS = "\\,"
"""The standard writes a backslash or, for UIDs, a comma; viewers write commas for modalities too."""
NAME_SHOWN_MAX = 64
"""Characters of an unknown name in the answer; the longest keyword has 65."""

_MODALITY = BY_KEYWORD["Modality"].tag
_REPEATABLE_VRS = frozenset({"UI", "CS", "IS", "US"})


def parse_attributes(attributes: list[tuple[str, str]], scope: Query, *, is_fuzzy: bool) -> AttributeMatches:
    """Return what the attributes ask for at the level of a scope.

    Raises InvalidRequest for a name that is no attribute, a value that its VR does not allow, or a repeated attribute
    that takes no list.
    """
    asked: dict[int, str] = {}
    warnings: list[str] = []
    for name, value in attributes:
        path = parse_attribute_path(name)
        if path is None:
            raise InvalidRequest(
                f"Invalid query: the parameter '{name[:NAME_SHOWN_MAX]}' is neither known nor the keyword or tag of an "
                "attribute."
            )
        attribute = _matchable(path, scope.level)
        if attribute is None:
            warnings.append(f"The attribute {name} is not supported for matching here and was ignored.")
        else:
            asked[attribute.tag] = _join(attribute, asked.get(attribute.tag), value)
    matches = (
        parse_match(MATCHABLE[tag], value, list_separators=LIST_SEPARATORS, is_fuzzy=is_fuzzy)
        for tag, value in asked.items()
    )
    return AttributeMatches(tuple(match for match in matches if match is not None), tuple(asked), tuple(warnings))


def _matchable(path: tuple[int, ...], level: Level) -> IndexedAttribute | None:
    tag = path[0]
    if tag == _MODALITY and level is Level.STUDY:
        # A study has no modality of its own; clients that ask for it mean the studies that hold such a series.
        tag = MODALITIES_IN_STUDY
    attribute = MATCHABLE.get(tag) if len(path) == 1 else None
    return attribute if attribute is not None and attribute.level <= level else None


def _join(attribute: IndexedAttribute, earlier: str | None, value: str) -> str:
    if earlier is None:
        return value
    if attribute.vr not in _REPEATABLE_VRS:
        raise InvalidRequest(f"Invalid query: the attribute {attribute.keyword} is specified more than once.")
    return f"{earlier}\\{value}"
