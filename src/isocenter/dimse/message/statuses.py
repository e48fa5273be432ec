"""Status codes of responses (PS3.7 annex C); those of one service stand in PS3.4 and with that service."""

from __future__ import annotations

from enum import Enum

SUCCESS = 0x0000
CANCEL = 0xFE00
PENDING = 0xFF00
PENDING_WITH_WARNING = 0xFF01
"""Optional keys of the query were not matched."""

ATTRIBUTE_LIST_ERROR = 0x0107
SOP_CLASS_NOT_SUPPORTED = 0x0122
CLASS_INSTANCE_CONFLICT = 0x0119
DUPLICATE_SOP_INSTANCE = 0x0111
DUPLICATE_INVOCATION = 0x0210
INVALID_ARGUMENT_VALUE = 0x0115
INVALID_ATTRIBUTE_VALUE = 0x0106
INVALID_SOP_INSTANCE = 0x0117
MISSING_ATTRIBUTE = 0x0120
MISSING_ATTRIBUTE_VALUE = 0x0121
MISTYPED_ARGUMENT = 0x0212
NO_SUCH_ARGUMENT = 0x0114
NO_SUCH_ATTRIBUTE = 0x0105
NO_SUCH_EVENT_TYPE = 0x0113
NO_SUCH_SOP_INSTANCE = 0x0112
NO_SUCH_SOP_CLASS = 0x0118
NO_SUCH_ACTION = 0x0123
NOT_AUTHORIZED = 0x0124
PROCESSING_FAILURE = 0x0110
RESOURCE_LIMITATION = 0x0213
UNRECOGNIZED_OPERATION = 0x0211


class StatusCategory(Enum):
    """What a status tells (PS3.7 annex C)."""

    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"
    CANCEL = "cancel"
    PENDING = "pending"


def category_of(status: int) -> StatusCategory:
    """Return the category of a status; what the standard does not know is a failure."""
    if status == SUCCESS:
        return StatusCategory.SUCCESS
    if status in (PENDING, PENDING_WITH_WARNING):
        return StatusCategory.PENDING
    if status == CANCEL:
        return StatusCategory.CANCEL
    if status in (0x0001, ATTRIBUTE_LIST_ERROR, 0x0116) or status >> 12 == 0xB:
        return StatusCategory.WARNING
    return StatusCategory.FAILURE
