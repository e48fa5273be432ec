"""Watched studies in dictionaries."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace

from isocenter.ports.watched_studies import Completion, KeptExpectation, WatchedStudy


class MemoryWatchedStudies:
    """Keep them in memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._studies: dict[str, WatchedStudy] = {}
        self._expectations: dict[tuple[str, str, str], KeptExpectation] = {}
        self._completions: list[Completion] = []
        self._gaps: dict[tuple[str, str], tuple[float, ...]] = {}
        self._next_key = 1

    def find(self, study_instance_uids: Sequence[str]) -> dict[str, WatchedStudy]:
        """Return those of some studies that are watched."""
        return {uid: self._studies[uid] for uid in study_instance_uids if uid in self._studies}

    def due(self, *, now: float, limit: int) -> list[WatchedStudy]:
        """Return studies that are not whole and are to be judged, the longest due first."""
        waiting = [
            (one.look_at, one) for one in self._studies.values() if not one.is_complete and one.look_at is not None
        ]
        return [one for look_at, one in sorted(waiting, key=lambda pair: pair[0]) if look_at <= now][:limit]

    def keep(self, studies: Sequence[WatchedStudy]) -> None:
        """Keep studies as they are now."""
        with self._lock:
            self._studies.update({study.study_instance_uid: study for study in studies})

    def complete(self, study: WatchedStudy) -> Completion:
        """Keep a study that is whole, and that it was, in one commit."""
        assert study.completed_at is not None
        with self._lock:
            completion = Completion(
                self._next_key,
                study.study_instance_uid,
                study.evidence,
                study.told,
                study.completed_at,
                study.completed_sequence,
                study.last_sequence,
                study.instances,
            )
            self._next_key += 1
            self._completions.append(completion)
            kept = replace(study, is_complete=True, look_at=None, completed_sequence=study.last_sequence)
            self._studies[study.study_instance_uid] = kept
            return completion

    def recent(self, *, limit: int) -> list[WatchedStudy]:
        """Return studies, the one that came last first."""
        return sorted(self._studies.values(), key=lambda study: -study.last_at)[:limit]

    def completions(self, *, after: int, limit: int) -> list[Completion]:
        """Return what was whole, behind a key, in order."""
        return [one for one in self._completions if one.completion_key > after][:limit]

    def expect(self, expectation: KeptExpectation) -> None:
        """Keep what a source says in the place of what it said before, and have the study judged."""
        uid = expectation.study_instance_uid
        with self._lock:
            self._expectations[uid, expectation.kind, expectation.origin] = expectation
            study = self._studies.get(uid)
            if study is not None and not study.is_complete:
                at = expectation.noted_at if study.look_at is None else min(study.look_at, expectation.noted_at)
                self._studies[uid] = replace(study, look_at=at)

    def expectations(self, study_instance_uid: str) -> list[KeptExpectation]:
        """Return what must be here of a study."""
        return [one for key, one in sorted(self._expectations.items()) if key[0] == study_instance_uid]

    def gaps(self, device: str, modality: str) -> tuple[float, ...]:
        """Return the gaps between instances that were seen of a device, the oldest first."""
        return self._gaps.get((device, modality), ())

    def keep_gaps(self, gaps: Mapping[tuple[str, str], Sequence[float]]) -> None:
        """Keep gaps by device and modality in the place of those before."""
        with self._lock:
            self._gaps.update({key: tuple(one) for key, one in gaps.items()})

    def forget(self, *, before: float) -> int:
        """Drop studies to which nothing came since, with what was expected of them; return how many went."""
        with self._lock:
            young = {uid for uid, study in self._studies.items() if study.last_at >= before}
            self._expectations = {
                key: one for key, one in self._expectations.items() if one.noted_at >= before or key[0] in young
            }
            self._completions = [one for one in self._completions if one.completed_at >= before]
            gone = [uid for uid, study in self._studies.items() if uid not in young and study.is_complete]
            for uid in gone:
                del self._studies[uid]
            return len(gone)
