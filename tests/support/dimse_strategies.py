"""Values of the upper layer and of messages, drawn at random."""

from __future__ import annotations

import dataclasses
from typing import Any

from hypothesis import strategies as st

from isocenter.dimse.message.messages import Message, RefusalRsp
from isocenter.dimse.ul.pdu import (
    Abort,
    AssociateAc,
    AssociateRj,
    AssociateRq,
    PDataTf,
    Pdu,
    Pdv,
    PresentationContextAc,
    PresentationContextRq,
    ReleaseRp,
    ReleaseRq,
)
from isocenter.dimse.ul.user_information import (
    AsyncOperationsWindow,
    CommonExtendedNegotiation,
    ExtendedNegotiation,
    RoleSelection,
    UserIdentityAc,
    UserIdentityRq,
    UserInformation,
)

uids = st.lists(st.integers(1, 999_999), min_size=2, max_size=6).map(lambda parts: ".".join(map(str, parts)))
ae_titles = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="\\"), min_size=1, max_size=16
)
numbers = st.integers(0, 0xFFFF)
small_bytes = st.binary(max_size=40)
context_ids = st.integers(0, 127).map(lambda number: number * 2 + 1)
transfer_syntaxes = st.lists(uids, min_size=1, max_size=4, unique=True).map(tuple)

_roles = st.builds(
    lambda uid, roles: RoleSelection(uid, *roles), uids, st.sampled_from([(True, False), (False, True), (True, True)])
)
_common_extended = st.builds(CommonExtendedNegotiation, uids, uids, st.lists(uids, max_size=3).map(tuple))
_identities_rq = st.builds(UserIdentityRq, st.integers(1, 5), st.booleans(), small_bytes, small_bytes)
_sub_items_of_both: dict[str, st.SearchStrategy[Any]] = {
    "maximum_length_received": st.just(0) | st.integers(128, 0xFFFF_FFFF),
    "implementation_class_uid": uids,
    "implementation_version_name": st.none() | ae_titles,
    "async_operations_window": st.none() | st.builds(AsyncOperationsWindow, numbers, numbers),
    "role_selections": st.lists(_roles, max_size=3).map(tuple),
    "extended_negotiations": st.lists(st.builds(ExtendedNegotiation, uids, small_bytes), max_size=3).map(tuple),
}
_user_information_rq = st.builds(
    UserInformation,
    **_sub_items_of_both,
    common_extended_negotiations=st.lists(_common_extended, max_size=3).map(tuple),
    user_identity=st.none() | _identities_rq,
)
_user_information_ac = st.builds(
    UserInformation, **_sub_items_of_both, user_identity=st.none() | st.builds(UserIdentityAc, small_bytes)
)


def _contexts_of(one: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(one, max_size=5, unique_by=lambda context: context.context_id).map(tuple)


requests = st.builds(
    AssociateRq,
    called_ae_title=ae_titles,
    calling_ae_title=ae_titles,
    presentation_contexts=_contexts_of(st.builds(PresentationContextRq, context_ids, uids, transfer_syntaxes)),
    user_information=_user_information_rq,
)
_accepted = st.builds(PresentationContextAc, context_ids, st.just(0), uids)
_refused = st.builds(PresentationContextAc, context_ids, st.integers(1, 4))
answers = st.builds(
    AssociateAc,
    called_ae_title=ae_titles,
    calling_ae_title=ae_titles,
    presentation_contexts=_contexts_of(_accepted | _refused),
    user_information=_user_information_ac,
)
octets = st.integers(0, 255)
pdvs = st.builds(Pdv, context_ids, st.booleans(), st.booleans(), small_bytes)
data_pdus = st.lists(pdvs, min_size=1, max_size=4).map(lambda some: PDataTf(tuple(some)))
pdus: st.SearchStrategy[Pdu] = st.one_of(
    requests,
    answers,
    st.builds(AssociateRj, octets, octets, octets),
    data_pdus,
    st.just(ReleaseRq()),
    st.just(ReleaseRp()),
    st.builds(Abort, octets, octets),
)

_tags = st.lists(st.integers(0, 0xFFFF_FFFF), max_size=4).map(tuple)
_comments = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters="\\"), max_size=64)
_FIELD_STRATEGIES: dict[str, st.SearchStrategy[Any]] = {
    "uid": uids,
    "title": ae_titles,
    "destination": ae_titles,
    "comment": _comments.map(str.strip).map(lambda text: text or None),
    "elements": _tags,
    "list": _tags,
}
"""By the last word of a field's name; all other fields are numbers."""


def messages(message_type: type[Message]) -> st.SearchStrategy[Message]:
    """Return messages of one type, optional fields left out at random."""
    arguments: dict[str, st.SearchStrategy[Any]] = {}
    for each in dataclasses.fields(message_type):
        values = _FIELD_STRATEGIES.get(each.name.rsplit("_", 1)[-1], numbers)
        arguments[each.name] = values if each.default is not None else st.none() | values
    if message_type is RefusalRsp:
        arguments["command_field"] = st.integers(0x8000, 0xFFFF)
    return st.builds(message_type, **arguments)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Return data in pieces, cut at places that are taken modulo its length."""
    ends = sorted({place % (len(data) + 1) for place in places} | {len(data)})
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


cuts = st.lists(st.integers(0, 1 << 20), max_size=12)
