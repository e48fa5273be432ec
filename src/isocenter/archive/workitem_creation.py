"""What the standard lets a user agent leave out of a new workitem, put in its place (PS3.4 table CC.2.5-3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from isocenter.dicom.dataset import vr_of
from isocenter.dicom.json_document import Document, values_of_document
from isocenter.domain.errors import InvalidAttributeValue
from isocenter.domain.values import first_text, tag_key
from isocenter.domain.workitem import PROCEDURE_STEP_STATE, WorkitemState
from isocenter.domain.workitem_attributes import AT_CREATION, Need, Requirement

_MAY_BE_EMPTY = frozenset({Need.EMPTY, Need.PRESENT})


def complete_attributes(attributes: Document) -> Document:
    """Return the attributes of a new workitem with those that may be empty added where they are missing.

    Few user agents send all of them, and nothing depends on them. Raises InvalidAttributeValue for a workitem that is
    to begin in another state than SCHEDULED (PS3.4 CC.2.5.1.3).
    """
    if first_text(values_of_document(attributes), PROCEDURE_STEP_STATE) not in ("", WorkitemState.SCHEDULED):
        raise InvalidAttributeValue(
            'The provided value of UPS State was not "SCHEDULED".', tags=(PROCEDURE_STEP_STATE,)
        )
    return _completed(attributes, AT_CREATION)


def _completed(attributes: Document, requirements: Sequence[Requirement]) -> Document:
    document: Document = dict(attributes)
    for requirement in requirements:
        key, vr = tag_key(requirement.tag), vr_of(requirement.tag)
        if requirement.need in _MAY_BE_EMPTY and key not in document:
            document[key] = {"vr": vr}
        items: list[Any] = document.get(key, {}).get("Value", [])
        if vr == "SQ" and items and requirement.nested:
            document[key] = {"vr": vr, "Value": [_completed(item, requirement.nested) for item in items]}
    return dict(sorted(document.items()))
