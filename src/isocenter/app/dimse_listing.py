"""What another AE has of a study, series or instance, as far as it tells by C-FIND."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from isocenter.app.dimse_peer import DimsePeer
from isocenter.app.finding import (
    SERIES_INSTANCE_UID,
    SOP_INSTANCE_UID,
    FindRequest,
    build_identifier,
    row_of,
)
from isocenter.dimse.scu.client import Opener, ProposedContext
from isocenter.dimse.scu.errors import ContextRefused, RequestFailed
from isocenter.dimse.scu.find import STUDY_ROOT_FIND, find
from isocenter.dimse.shell.connection import Connection
from isocenter.domain.identifiers import InstanceIdentifier, Level, Scope

SOP_CLASS_UID, AVAILABLE_TRANSFER_SYNTAX_UID = 0x00080016, 0x00083002
LISTED_MAX = 1_000_000
"""A scope with more instances is none."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An instance of which a search told."""

    identifier: InstanceIdentifier
    sop_class_uid: str = ""
    transfer_syntax_uids: tuple[str, ...] = ()


async def list_instances(opener: Opener, peer: DimsePeer, scope: Scope) -> list[Listed] | None:
    """Return what a peer has of a scope, None where it cannot tell.

    It is asked series by series: not every peer searches for instances of a study.
    """
    try:
        async with opener.association(peer.remote, [ProposedContext(STUDY_ROOT_FIND)]) as association:
            if scope.series_instance_uid is not None:
                return await _list_series(association, scope, scope.series_instance_uid)
            keys = (("StudyInstanceUID", scope.study_instance_uid),)
            rows = await _ask(association, FindRequest(Level.SERIES, keys))
            found: list[Listed] = []
            for row in rows:
                found += await _list_series(association, scope, _text(row, SERIES_INSTANCE_UID))
            return found[:LISTED_MAX]
    except (ContextRefused, RequestFailed):
        return None


async def _list_series(association: Connection, scope: Scope, series_instance_uid: str) -> list[Listed]:
    keys = [("StudyInstanceUID", scope.study_instance_uid), ("SeriesInstanceUID", series_instance_uid)]
    if scope.sop_instance_uid is not None:
        keys.append(("SOPInstanceUID", scope.sop_instance_uid))
    returned = (f"{SOP_CLASS_UID:08X}", f"{AVAILABLE_TRANSFER_SYNTAX_UID:08X}")
    rows = await _ask(association, FindRequest(Level.INSTANCE, tuple(keys), returned=returned))
    return [
        Listed(
            InstanceIdentifier(scope.study_instance_uid, series_instance_uid, _text(row, SOP_INSTANCE_UID)),
            _text(row, SOP_CLASS_UID),
            tuple(_values(row, AVAILABLE_TRANSFER_SYNTAX_UID)),
        )
        for row in rows
    ]


async def _ask(association: Connection, request: FindRequest) -> list[dict[str, Any]]:
    return [row_of(match) for match in await find(association, build_identifier(request), limit=LISTED_MAX)]


def _values(row: dict[str, Any], tag: int) -> list[str]:
    return [str(value) for value in row.get(f"{tag:08X}", {}).get("Value", [])]


def _text(row: dict[str, Any], tag: int) -> str:
    return next(iter(_values(row, tag)), "")
