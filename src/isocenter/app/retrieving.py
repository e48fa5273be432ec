"""Name to another AE what it is to send: the identifiers of C-MOVE and C-GET, and a move from begin to end."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from isocenter.app.dimse_peer import DimsePeer
from isocenter.app.finding import LEVEL_NAMES, QUERY_RETRIEVE_LEVEL, SERIES_INSTANCE_UID, SOP_INSTANCE_UID
from isocenter.app.finding import STUDY_INSTANCE_UID as STUDY
from isocenter.dicom.dataset import Dataset, text_attribute
from isocenter.dimse.scu.client import Opener, ProposedContext
from isocenter.dimse.scu.retrieve import STUDY_ROOT_MOVE, Progress, Retrieved, move
from isocenter.domain.identifiers import Level, Scope


def scope_identifier(scope: Scope, *, sop_instance_uids: Sequence[str] = ()) -> Dataset:
    """Return the identifier of a retrieval, of the instances of a series that are named where they are."""
    level = Level.INSTANCE if sop_instance_uids else scope.level
    instances = sop_instance_uids or ([scope.sop_instance_uid] if scope.sop_instance_uid else [])
    keys = {
        QUERY_RETRIEVE_LEVEL: text_attribute("CS", LEVEL_NAMES[level]),
        STUDY: text_attribute("UI", scope.study_instance_uid),
    }
    if scope.series_instance_uid is not None:
        keys[SERIES_INSTANCE_UID] = text_attribute("UI", scope.series_instance_uid)
    if instances:
        keys[SOP_INSTANCE_UID] = text_attribute("UI", *instances)
    return dict(sorted(keys.items()))


def move_scopes(
    peer: DimsePeer,
    scopes: Sequence[Scope],
    *,
    destination: str,
    on_progress: Callable[[Scope, Progress], None] = lambda scope, progress: None,
) -> list[Retrieved]:
    """Have a peer send studies, series or instances to another AE, one after the other over one association.

    Raises the errors of associations, ContextRefused, RequestFailed.
    """

    async def work(opener: Opener) -> list[Retrieved]:
        results = []
        async with opener.association(peer.remote, [ProposedContext(STUDY_ROOT_MOVE)]) as association:
            for scope in scopes:
                result = await move(
                    association,
                    scope_identifier(scope),
                    destination=destination,
                    on_progress=lambda progress, scope=scope: on_progress(scope, progress),  # type: ignore[misc]
                )
                results.append(result)
        return results

    return peer.call(work)
