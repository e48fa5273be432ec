"""Fetch instances from another AE into files by C-GET: what is there is not fetched twice.

    C-FIND ──▶ what there is ──▶ what is missing ──▶ contexts ──▶ C-GET ──▶ a partial file each ──▶ its name

A peer that cannot be searched is asked for everything, with contexts for what hospitals have.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from isocenter.app.dimse_listing import Listed, list_instances
from isocenter.app.dimse_peer import DimsePeer
from isocenter.app.dimse_taking import OnProgress, Taking
from isocenter.app.fetching import WHOLE_MIN_SHARE, FetchReport
from isocenter.app.instance_files import instance_path
from isocenter.app.retrieving import scope_identifier
from isocenter.dicom.dataset import Dataset
from isocenter.dimse.scu.client import Opener, ProposedContext
from isocenter.dimse.scu.retrieve import STUDY_ROOT_GET, get
from isocenter.dimse.scu.storage_plan import GUESSED_CLASSES, plan_storage
from isocenter.dimse.shell.service import ServiceTable
from isocenter.domain.errors import NotFound
from isocenter.domain.identifiers import Scope

UIDS_PER_REQUEST_MAX = 100
"""Of one C-GET for instances by their UIDs: 6 KB, which every peer takes."""
Classes = Mapping[str, Iterable[str]]
"""Transfer syntaxes by SOP class."""


def fetch_from_peer(peer: DimsePeer, scope: Scope, *, folder: Path, on_progress: OnProgress) -> FetchReport:
    """Fetch what of a scope is not in the folder yet.

    Raises NotFound where the peer has nothing of that name, the errors of associations, ContextRefused, RequestFailed.
    What was written until then stays, and the next run goes on from there.
    """
    return peer.call(lambda opener: _fetch(opener, peer, scope, folder=folder, on_progress=on_progress))


async def _fetch(
    opener: Opener, peer: DimsePeer, scope: Scope, *, folder: Path, on_progress: OnProgress
) -> FetchReport:
    report = FetchReport()
    listed = await list_instances(opener, peer, scope)
    taking = Taking(scope, folder, report, on_progress)
    if listed is None:
        guessed: Classes = dict.fromkeys(GUESSED_CLASSES, ())
        await _get(opener, peer, taking, classes=guessed, parts=[scope_identifier(scope)])
        return report
    if not listed:
        raise NotFound(f"{peer} has no {scope.level.name.lower()} of that UID.")
    missing = [each for each in listed if not instance_path(folder, each.identifier).exists()]
    report.expected, report.present = len(listed), len(listed) - len(missing)
    taking.wanted = {each.identifier for each in missing}
    on_progress(report)
    if not missing:
        return report
    is_whole = len(missing) > WHOLE_MIN_SHARE * len(listed)
    parts = [scope_identifier(scope)] if is_whole else _parts(missing)
    await _get(opener, peer, taking, classes=_classes(missing), parts=parts)
    for identifier in taking.wanted:
        told = taking.failed.get(identifier.sop_instance_uid, "the peer lists it and did not send it")
        report.note_failure(identifier.sop_instance_uid, told)
    return report


def _classes(missing: Sequence[Listed]) -> Classes:
    """Return the SOP classes of instances and their transfer syntaxes; guesses where the peer did not tell a class."""
    classes: dict[str, dict[str, None]] = {}
    for each in missing:
        for sop_class_uid in [each.sop_class_uid] if each.sop_class_uid else GUESSED_CLASSES:
            classes.setdefault(sop_class_uid, {}).update(dict.fromkeys(each.transfer_syntax_uids))
    return classes


def _parts(missing: Sequence[Listed]) -> list[Dataset]:
    """Return the identifiers of requests for single instances."""
    by_series: dict[tuple[str, str], list[str]] = {}
    for each in missing:
        named = each.identifier
        by_series.setdefault((named.study_instance_uid, named.series_instance_uid), []).append(named.sop_instance_uid)
    return [
        scope_identifier(Scope(*series), sop_instance_uids=uids[start : start + UIDS_PER_REQUEST_MAX])
        for series, uids in by_series.items()
        for start in range(0, len(uids), UIDS_PER_REQUEST_MAX)
    ]


async def _get(opener: Opener, peer: DimsePeer, taking: Taking, *, classes: Classes, parts: Sequence[Dataset]) -> None:
    for plan in plan_storage(classes):
        contexts = [ProposedContext(STUDY_ROOT_GET), *(context for each in plan.values() for context in each)]
        services = ServiceTable([taking.service(frozenset(plan))])
        async with opener.association(peer.remote, contexts, services=services) as association:
            for identifier in parts:
                result = await get(association, identifier, on_progress=taking.show)
                for uid in result.failed_sop_instance_uids:
                    taking.failed[uid] = "the peer could not send it"
                if result.told:
                    taking.note_end(result.told, result.progress)
