"""Another AE as source or target: C-FIND, C-GET, C-STORE; `moved_to_us.py` has the source that only moves."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from isocenter.app.dimse_fetching import fetch_from_peer
from isocenter.app.dimse_listing import list_instances
from isocenter.app.dimse_peer import DimsePeer
from isocenter.app.dimse_report import report_of_peer
from isocenter.app.dimse_taking import Taking
from isocenter.app.fetching import FetchReport
from isocenter.app.finding import FindRequest, build_identifier, row_of
from isocenter.app.instance_files import instance_path
from isocenter.app.migrating.ends import OnAnswer, Sent, StagedFile
from isocenter.app.migrating.peer_sending import send_files
from isocenter.app.migrating.records import FoundInstance, FoundStudy, MovedInstance
from isocenter.app.retrieving import scope_identifier
from isocenter.dimse.message.statuses import CANCEL
from isocenter.dimse.scu.client import Opener, ProposedContext
from isocenter.dimse.scu.errors import ContextRefused, RequestFailed
from isocenter.dimse.scu.find import STUDY_ROOT_FIND, Match, find
from isocenter.dimse.scu.retrieve import STUDY_ROOT_GET, get
from isocenter.dimse.scu.storage_plan import GUESSED_CLASSES, plan_storage
from isocenter.dimse.shell.service import ServiceTable
from isocenter.domain.errors import InvalidRequest, IsocenterError
from isocenter.domain.identifiers import InstanceIdentifier, Level, Scope
from isocenter.ports.frame_decoder import FrameDecoder
from isocenter.routing.deliveries.report import Report
from isocenter.routing.migration.slices import Answer, Slice, answer_of

STUDIES_OF_AN_ANSWER_MAX = 100_000
"""An answer that is longer is cut here, and its interval halved."""
UIDS_PER_REQUEST_MAX = 100
"""Of one C-GET: 6 KB, which every peer takes."""
_RETURNED = ("PatientID", "StudyDate", "StudyTime", "NumberOfStudyRelatedInstances")
_OUT_OF_RESOURCES = 0xA7


class PeerEnd:
    """Another AE at one end of a migration."""

    def __init__(self, peer: DimsePeer, decoder: FrameDecoder) -> None:
        self._peer = peer
        self._decoder = decoder

    @property
    def name(self) -> str:
        """Return its address."""
        return str(self._peer)

    def close(self) -> None:
        """Do nothing: associations end with what they are for."""

    def report_of(self, error: IsocenterError) -> Report:
        """Return what an error of it says."""
        return report_of_peer(error)

    def ask(self, one: Slice) -> tuple[Answer, list[FoundStudy]]:
        """Return the studies of a slice, as many as the peer answers with."""
        keys = [("StudyDate", one.dates)] if one.dates else []
        keys += [("StudyTime", one.times)] if one.times else []
        matches: list[Match] = []
        is_cut = self._peer.call(lambda opener: self._find(opener, tuple(keys), matches))
        studies = [_study(row_of(match)) for match in matches]
        # A limit counts rows: a study that is there under two patients is two of them.
        return answer_of([study.study_date for study in studies], is_cut=is_cut), studies

    async def _find(self, opener: Opener, keys: tuple[tuple[str, str], ...], matches: list[Match]) -> bool:
        """Gather what matches; tell whether the peer ended before the end, or would not begin without an interval."""
        identifier = build_identifier(FindRequest(Level.STUDY, keys, returned=_RETURNED))
        async with opener.association(self._peer.remote, [ProposedContext(STUDY_ROOT_FIND)]) as association:
            try:
                await find(association, identifier, limit=STUDIES_OF_AN_ANSWER_MAX, on_match=matches.append)
            except RequestFailed as error:
                is_limit = error.status == CANCEL or error.status >> 8 == _OUT_OF_RESOURCES
                if not is_limit and (keys or error.status >> 12 not in (0xA, 0xC)):
                    raise
                return True
        return len(matches) >= STUDIES_OF_AN_ANSWER_MAX

    def list_instances_of(self, study_instance_uid: str) -> list[FoundInstance] | None:
        """Return what a study has, None where the peer would not tell."""
        listed = self._peer.call(lambda opener: list_instances(opener, self._peer, Scope(study_instance_uid)))
        if listed is None:
            return None
        return [
            FoundInstance(one.identifier.series_instance_uid, one.identifier.sop_instance_uid, one.sop_class_uid)
            for one in listed
        ]

    def fetch(self, scope: Scope, folder: Path, on_answer: OnAnswer) -> FetchReport:
        """Bring what of a scope is not yet in a folder, by C-GET."""
        is_told = False

        def progress(report: FetchReport) -> None:
            nonlocal is_told
            if not is_told:
                is_told = True
                on_answer()

        try:
            return fetch_from_peer(self._peer, scope, folder=folder, on_progress=progress)
        except ContextRefused as error:
            raise ContextRefused(f"{error.message} Have it send to us instead, with --listen HOST:PORT.") from error

    def send(self, files: Sequence[StagedFile]) -> list[Sent]:
        """Store instances."""
        return self._peer.call(lambda opener: send_files(opener, self._peer, files, self._decoder))

    def read_back(self, study_instance_uid: str, instances: Collection[MovedInstance], folder: Path) -> dict[str, Path]:
        """Bring instances back as files by C-GET; one that the peer does not give is left out.

        Raises ContextRefused where it does not offer C-GET.
        """
        wanted = {
            InstanceIdentifier(study_instance_uid, one.series_instance_uid, one.sop_instance_uid): one
            for one in instances
        }
        taking = Taking(Scope(study_instance_uid), folder, FetchReport(), lambda report: None)
        taking.wanted = set(wanted)
        self._peer.call(lambda opener: self._get(opener, taking, list(wanted.values()), study_instance_uid))
        paths = {one.sop_instance_uid: instance_path(folder, one) for one in wanted}
        return {uid: path for uid, path in paths.items() if path.exists()}

    async def _get(
        self, opener: Opener, taking: Taking, instances: Sequence[MovedInstance], study_instance_uid: str
    ) -> None:
        named = dict.fromkeys(one.sop_class_uid for one in instances if one.sop_class_uid)
        by_series: dict[str, list[str]] = {}
        for one in instances:
            by_series.setdefault(one.series_instance_uid, []).append(one.sop_instance_uid)
        for plan in plan_storage(dict.fromkeys(named or GUESSED_CLASSES, ())):
            contexts = [ProposedContext(STUDY_ROOT_GET), *(context for each in plan.values() for context in each)]
            services = ServiceTable([taking.service(frozenset(plan))])
            async with opener.association(self._peer.remote, contexts, services=services) as association:
                for series, uids in by_series.items():
                    for start in range(0, len(uids), UIDS_PER_REQUEST_MAX):
                        part = uids[start : start + UIDS_PER_REQUEST_MAX]
                        identifier = scope_identifier(Scope(study_instance_uid, series), sop_instance_uids=part)
                        try:
                            await get(association, identifier)
                        except RequestFailed:
                            continue  # nothing of these could be had; what is missing tells

    def remove(self, scope: Scope) -> None:
        """Refuse: DIMSE has no service for it."""
        raise InvalidRequest(
            f"{self.name} is a DIMSE peer, and DIMSE cannot delete; delete the instance there, then heal again."
        )


class PeerSource(PeerEnd):
    """Another AE as source."""

    def list_study(self, study_instance_uid: str) -> list[FoundInstance] | None:
        """Return what a study has, None where the peer would not tell."""
        return self.list_instances_of(study_instance_uid)


class PeerTarget(PeerEnd):
    """Another AE as target."""

    def list_study(self, study_instance_uid: str) -> set[tuple[str, str]] | None:
        """Return series and instances of what it has of a study, None where it cannot be searched."""
        try:
            listed = self.list_instances_of(study_instance_uid)
        except ContextRefused:
            return None
        return None if listed is None else {(one.series_instance_uid, one.sop_instance_uid) for one in listed}


def _study(row: dict[str, Any]) -> FoundStudy:
    counted = _text(row, "00201208")
    return FoundStudy(
        _text(row, "0020000D"),
        _text(row, "00100020"),
        _text(row, "00080020"),
        int(counted) if counted.isascii() and counted.isdigit() else None,
    )


def _text(row: dict[str, Any], tag: str) -> str:
    return str((row.get(tag, {}).get("Value") or [""])[0] or "").strip()
