"""What the extended negotiation of the query and retrieve classes says, byte by byte (PS3.4 C.5)."""

from __future__ import annotations

from dataclasses import dataclass

from isocenter.dimse.ul.pdu import AssociateAc


@dataclass(frozen=True, slots=True)
class FindExtensions:
    """Of a C-FIND SOP class (PS3.4 table C.5-1)."""

    relational_queries: bool = False
    combined_date_time_matching: bool = False
    fuzzy_person_name_matching: bool = False
    timezone_query_adjustment: bool = False
    enhanced_multiframe_conversion: bool = False
    empty_value_matching: bool = False
    multiple_value_matching: bool = False


@dataclass(frozen=True, slots=True)
class RetrieveExtensions:
    """Of a C-MOVE or C-GET SOP class (PS3.4 tables C.5-2 and C.5-3)."""

    relational_retrieval: bool = False
    enhanced_multiframe_conversion: bool = False


def encode_find_extensions(extensions: FindExtensions) -> bytes:
    """Return the service class application information of a C-FIND SOP class."""
    return bytes(
        (
            extensions.relational_queries,
            extensions.combined_date_time_matching,
            extensions.fuzzy_person_name_matching,
            extensions.timezone_query_adjustment,
            extensions.enhanced_multiframe_conversion,
            extensions.empty_value_matching,
            extensions.multiple_value_matching,
        )
    )


def decode_find_extensions(information: bytes) -> FindExtensions:
    """Return what was agreed on; what is left out is not supported."""
    return FindExtensions(*(value == 1 for value in information[:7]))


def encode_retrieve_extensions(extensions: RetrieveExtensions) -> bytes:
    """Return the service class application information of a C-MOVE or C-GET SOP class."""
    return bytes((extensions.relational_retrieval, extensions.enhanced_multiframe_conversion))


def decode_retrieve_extensions(information: bytes) -> RetrieveExtensions:
    """Return what was agreed on; what is left out is not supported."""
    return RetrieveExtensions(*(value == 1 for value in information[:2]))


def agreed_extensions(answer: AssociateAc, sop_class_uid: str) -> bytes:
    """Return what an answer agrees to for a SOP class; nothing where it does not name it."""
    agreed = answer.user_information.extended_negotiations
    return next((each.application_information for each in agreed if each.sop_class_uid == sop_class_uid), b"")
