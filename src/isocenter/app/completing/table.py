"""What others ask of completeness: whether a study is whole, what became so, and to have one treated so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from isocenter.domain.errors import NotFound
from isocenter.ports.watched_studies import Completion, KeptExpectation, WatchedStudies, WatchedStudy
from isocenter.routing.completeness.judge import EvidenceKind


class Completeness:
    """Answers for channels, commands and the JSON (`web.api.completeness.CompletenessTable`)."""

    def __init__(self, watched: WatchedStudies, *, now: Callable[[], datetime]) -> None:
        self._watched = watched
        self._now = now

    def is_complete(self, study_instance_uid: str) -> bool:
        """Tell whether everything that came of a study was there when it was last judged whole."""
        study = self._watched.find([study_instance_uid]).get(study_instance_uid)
        return study is not None and study.is_complete

    def completions(self, *, after: int, limit: int) -> list[Completion]:
        """Return what became whole behind a key, in order, each with the part of the feed that is to go out.

        Whoever acts on it keeps the last key: late instances of a study come as a further one, with only themselves.
        """
        return self._watched.completions(after=after, limit=limit)

    def overview(self, *, limit: int) -> list[dict[str, Any]]:
        """Return studies for programs, the one that came last first."""
        return [study_json(study) for study in self._watched.recent(limit=limit)]

    def find(self, study_instance_uid: str) -> dict[str, Any]:
        """Return a study with what is expected of it. Raises NotFound where it is not watched."""
        study = self._watched.find([study_instance_uid]).get(study_instance_uid)
        if study is None:
            raise NotFound("No study of that UID came since completeness is tracked.")
        expected = self._watched.expectations(study_instance_uid)
        return study_json(study) | {"expected": [_expectation_json(one) for one in expected]}

    def treat_as_complete(self, study_instance_uid: str, *, origin: str) -> dict[str, Any]:
        """Have a study treated as complete; late instances open it again all the same. Raises NotFound."""
        self.find(study_instance_uid)
        self._expect(study_instance_uid, EvidenceKind.REQUEST, origin)
        return self.find(study_instance_uid)

    def expect(self, study_instance_uid: str, *, origin: str, count: int) -> None:
        """Note how many instances a study must have, whether it is here yet or not."""
        self._expect(study_instance_uid, EvidenceKind.COUNT, origin, count)

    def _expect(self, study_instance_uid: str, kind: EvidenceKind, origin: str, count: int = 0) -> None:
        now = self._now().timestamp()
        self._watched.expect(KeptExpectation(study_instance_uid, kind.value, origin, count=count, noted_at=now))


def study_json(study: WatchedStudy) -> dict[str, Any]:
    """Return a study for programs."""
    return {
        "study_instance_uid": study.study_instance_uid,
        "is_complete": study.is_complete,
        "evidence": study.evidence,
        "told": study.told,
        "instances": study.instances,
        "device": study.device,
        "modality": study.modality,
        "first_at": _moment(study.first_at),
        "last_at": _moment(study.last_at),
        "completed_at": _moment(study.completed_at),
        "reopened": study.reopened,
    }


def _expectation_json(one: KeptExpectation) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "origin": one.origin,
        "instances": len(one.sop_instance_uids) or one.count,
        "is_final": one.is_final,
        "noted_at": _moment(one.noted_at),
    }


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
