"""Work list items, with only what a test is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from isocenter.dicom.dictionary import dictionary_vr, tag_of
from isocenter.domain.key import Key as SearchKey
from isocenter.domain.key import parse_value_match
from isocenter.domain.values import Values
from isocenter.domain.worklist import (
    SCHEDULED_PROCEDURE_STEP_SEQUENCE,
    Key,
    NewWorklistItem,
    SequenceKey,
    ValueKey,
    identity_of,
)


def tag(keyword: str) -> int:
    """Return the tag of a keyword."""
    found = tag_of(keyword)
    assert found is not None, keyword
    return found


def values(**attributes: str | Sequence[str | Values]) -> Values:
    """Return values by keyword."""
    listed = {keyword: [one] if isinstance(one, str) else list(one) for keyword, one in attributes.items()}
    return {f"{tag(keyword):08X}": one for keyword, one in listed.items()}


def step(
    step_id: str = "S1", *, attributes: Mapping[str, str | Sequence[str]] | None = None, **more: str | Sequence[str]
) -> Values:
    """Return a scheduled step."""
    return values(**{"ScheduledProcedureStepID": step_id, **(attributes or {}), **more})


def item(
    number: int = 1,
    *steps: Values,
    content: bytes = b"",
    attributes: Mapping[str, str | Sequence[str]] | None = None,
    **more: str | Sequence[str | Values],
) -> NewWorklistItem:
    """Return an item of a study of its own."""
    named: dict[str, str | Sequence[str | Values]] = {
        "StudyInstanceUID": f"1.2.{number}",
        "RequestedProcedureID": f"RP{number}",
        "ScheduledProcedureStepSequence": list(steps) or [step()],
    }
    found = values(**{**named, **(attributes or {}), **more})
    return NewWorklistItem(
        identity=identity_of(found, digest=str(number)),
        content=content or f"item {number}".encode(),
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        values=found,
        source="test",
    )


def key(keyword: str, text: str) -> Key:
    """Return the key that asks for a text; one that is no universal match."""
    vr = dictionary_vr(tag(keyword))
    match = parse_value_match(SearchKey(tag(keyword), vr, text, keyword))
    assert match is not None
    return ValueKey(match, vr)


def keys(asked: Mapping[str, str]) -> tuple[Key, ...]:
    """Return keys by keyword."""
    return tuple(key(keyword, text) for keyword, text in asked.items())


def step_keys(asked: Mapping[str, str]) -> SequenceKey:
    """Return the key that asks for scheduled steps."""
    return SequenceKey(SCHEDULED_PROCEDURE_STEP_SEQUENCE, keys(asked))
