"""The messages of DIMSE-C and DIMSE-N as values (PS3.7 9.3 and 10.3).

A message is its command set; whether a data set follows stands beside it, not in it. Status codes are in `statuses.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar


class Priority(IntEnum):
    """PS3.7 table E.1-1, (0000,0700)."""

    MEDIUM = 0
    HIGH = 1
    LOW = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class CEchoRq:
    """C-ECHO-RQ."""

    command_field: ClassVar[int] = 0x0030
    message_id: int
    affected_sop_class_uid: str = "1.2.840.10008.1.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class CEchoRsp:
    """C-ECHO-RSP."""

    command_field: ClassVar[int] = 0x8030
    message_id_being_responded_to: int
    status: int
    affected_sop_class_uid: str | None = None
    error_comment: str | None = None
    offending_elements: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CStoreRq:
    """C-STORE-RQ."""

    command_field: ClassVar[int] = 0x0001
    message_id: int
    affected_sop_class_uid: str
    affected_sop_instance_uid: str
    priority: int = Priority.MEDIUM
    move_originator_ae_title: str | None = None
    move_originator_message_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CStoreRsp:
    """C-STORE-RSP."""

    command_field: ClassVar[int] = 0x8001
    message_id_being_responded_to: int
    status: int
    affected_sop_class_uid: str | None = None
    affected_sop_instance_uid: str | None = None
    error_comment: str | None = None
    offending_elements: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CFindRq:
    """C-FIND-RQ; its identifier is the data set."""

    command_field: ClassVar[int] = 0x0020
    message_id: int
    affected_sop_class_uid: str
    priority: int = Priority.MEDIUM


@dataclass(frozen=True, slots=True, kw_only=True)
class CFindRsp:
    """C-FIND-RSP; a pending one carries an identifier."""

    command_field: ClassVar[int] = 0x8020
    message_id_being_responded_to: int
    status: int
    affected_sop_class_uid: str | None = None
    error_comment: str | None = None
    offending_elements: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CMoveRq:
    """C-MOVE-RQ; its identifier is the data set."""

    command_field: ClassVar[int] = 0x0021
    message_id: int
    affected_sop_class_uid: str
    move_destination: str
    priority: int = Priority.MEDIUM


@dataclass(frozen=True, slots=True, kw_only=True)
class CMoveRsp:
    """C-MOVE-RSP."""

    command_field: ClassVar[int] = 0x8021
    message_id_being_responded_to: int
    status: int
    affected_sop_class_uid: str | None = None
    error_comment: str | None = None
    offending_elements: tuple[int, ...] = ()
    number_of_remaining_suboperations: int | None = None
    number_of_completed_suboperations: int | None = None
    number_of_failed_suboperations: int | None = None
    number_of_warning_suboperations: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CGetRq:
    """C-GET-RQ; its identifier is the data set."""

    command_field: ClassVar[int] = 0x0010
    message_id: int
    affected_sop_class_uid: str
    priority: int = Priority.MEDIUM


@dataclass(frozen=True, slots=True, kw_only=True)
class CGetRsp:
    """C-GET-RSP."""

    command_field: ClassVar[int] = 0x8010
    message_id_being_responded_to: int
    status: int
    affected_sop_class_uid: str | None = None
    error_comment: str | None = None
    offending_elements: tuple[int, ...] = ()
    number_of_remaining_suboperations: int | None = None
    number_of_completed_suboperations: int | None = None
    number_of_failed_suboperations: int | None = None
    number_of_warning_suboperations: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CCancelRq:
    """C-CANCEL-RQ: of a C-FIND, C-MOVE or C-GET."""

    command_field: ClassVar[int] = 0x0FFF
    message_id_being_responded_to: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NEventReportRq:
    """N-EVENT-REPORT-RQ; its event information is the data set."""

    command_field: ClassVar[int] = 0x0100
    message_id: int
    affected_sop_class_uid: str
    affected_sop_instance_uid: str
    event_type_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NEventReportRsp:
    """N-EVENT-REPORT-RSP."""

    command_field: ClassVar[int] = 0x8100
    message_id_being_responded_to: int
    status: int
    affected_sop_class_uid: str | None = None
    affected_sop_instance_uid: str | None = None
    event_type_id: int | None = None
    error_comment: str | None = None
    error_id: int | None = None
    offending_elements: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NGetRq:
    """N-GET-RQ."""

    command_field: ClassVar[int] = 0x0110
    message_id: int
    requested_sop_class_uid: str
    requested_sop_instance_uid: str
    attribute_identifier_list: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NGetRsp:
    """N-GET-RSP; its attribute list is the data set."""

    command_field: ClassVar[int] = 0x8110
    message_id_being_responded_to: int
    status: int
    affected_sop_class_uid: str | None = None
    affected_sop_instance_uid: str | None = None
    attribute_identifier_list: tuple[int, ...] = ()
    error_comment: str | None = None
    error_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NSetRq:
    """N-SET-RQ; its modification list is the data set."""

    command_field: ClassVar[int] = 0x0120
    message_id: int
    requested_sop_class_uid: str
    requested_sop_instance_uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NSetRsp:
    """N-SET-RSP; its attribute list is the data set."""

    command_field: ClassVar[int] = 0x8120
    message_id_being_responded_to: int
    status: int
    affected_sop_class_uid: str | None = None
    affected_sop_instance_uid: str | None = None
    attribute_identifier_list: tuple[int, ...] = ()
    error_comment: str | None = None
    error_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NActionRq:
    """N-ACTION-RQ; its action information is the data set."""

    command_field: ClassVar[int] = 0x0130
    message_id: int
    requested_sop_class_uid: str
    requested_sop_instance_uid: str
    action_type_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NActionRsp:
    """N-ACTION-RSP; its action reply is the data set."""

    command_field: ClassVar[int] = 0x8130
    message_id_being_responded_to: int
    status: int
    affected_sop_class_uid: str | None = None
    affected_sop_instance_uid: str | None = None
    action_type_id: int | None = None
    error_comment: str | None = None
    error_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NCreateRq:
    """N-CREATE-RQ; its attribute list is the data set."""

    command_field: ClassVar[int] = 0x0140
    message_id: int
    affected_sop_class_uid: str
    affected_sop_instance_uid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NCreateRsp:
    """N-CREATE-RSP; its attribute list is the data set."""

    command_field: ClassVar[int] = 0x8140
    message_id_being_responded_to: int
    status: int
    affected_sop_class_uid: str | None = None
    affected_sop_instance_uid: str | None = None
    attribute_identifier_list: tuple[int, ...] = ()
    error_comment: str | None = None
    error_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NDeleteRq:
    """N-DELETE-RQ."""

    command_field: ClassVar[int] = 0x0150
    message_id: int
    requested_sop_class_uid: str
    requested_sop_instance_uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NDeleteRsp:
    """N-DELETE-RSP."""

    command_field: ClassVar[int] = 0x8150
    message_id_being_responded_to: int
    status: int
    affected_sop_class_uid: str | None = None
    affected_sop_instance_uid: str | None = None
    error_comment: str | None = None
    error_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalRsp:
    """The answer to a request that could not be understood, whatever its operation (PS3.7 annex C.5)."""

    command_field: int
    message_id_being_responded_to: int
    status: int
    affected_sop_class_uid: str | None = None
    affected_sop_instance_uid: str | None = None
    error_comment: str | None = None
    offending_elements: tuple[int, ...] = ()


Request = (
    CEchoRq
    | CStoreRq
    | CFindRq
    | CMoveRq
    | CGetRq
    | NEventReportRq
    | NGetRq
    | NSetRq
    | NActionRq
    | NCreateRq
    | NDeleteRq
)
Response = (
    CEchoRsp
    | CStoreRsp
    | CFindRsp
    | CMoveRsp
    | CGetRsp
    | NEventReportRsp
    | NGetRsp
    | NSetRsp
    | NActionRsp
    | NCreateRsp
    | NDeleteRsp
    | RefusalRsp
)
Message = Request | Response | CCancelRq
