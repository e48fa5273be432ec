"""What a device did, held against what it meant to do: as text and for programs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from isocenter.app.committing import CommitReport, describe_reason
from isocenter.domain.commitment import InstanceReference
from isocenter.domain.performed_step import PerformedStepState
from isocenter.modality.devices.acquisition import Acquisition
from isocenter.modality.devices.outcome import Outcome

PROBLEMS_TOLD_MAX = 3
"""Sentences of one kind of failure; the rest is the same again, and the JSON has all."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that had to hold."""

    name: str
    held: bool
    told: str
    """What was found, in a sentence."""


@dataclass(slots=True)
class ScanReport:
    """What became of one study."""

    acquisition: Acquisition
    peer: str
    outcomes: list[Outcome] = field(default_factory=list)
    late_outcomes: list[Outcome] = field(default_factory=list)
    stopped: str = ""
    """Why the device sent no more; empty where it came to the end."""
    was_reached: bool = True
    """False where the archive took no association at all."""
    tells_step_to: str = ""
    step_states: list[PerformedStepState] = field(default_factory=list)
    """What was told and taken."""
    step_problem: str = ""
    asks_for_commitment_of: str = ""
    commitment: CommitReport | None = None
    commitment_problem: str = ""

    @property
    def acknowledged(self) -> list[Outcome]:
        """Return the C-STOREs that were acknowledged."""
        return [outcome for outcome in (*self.outcomes, *self.late_outcomes) if outcome.is_acknowledged]

    @property
    def acknowledged_references(self) -> list[InstanceReference]:
        """Return the instances that were acknowledged, each once."""
        return list(dict.fromkeys(outcome.reference for outcome in self.acknowledged))

    @property
    def checks(self) -> list[Check]:
        """Return what had to hold, with what was found."""
        return [self._images(), *self._late_images(), self._step(), self._commitment()]

    @property
    def held(self) -> bool:
        """Tell whether everything held."""
        return all(check.held for check in self.checks)

    @property
    def _is_to_be_aborted(self) -> bool:
        after = self.acquisition.misbehaviour.abort_after
        return after is not None and after < self.acquisition.number_of_images

    def _images(self) -> Check:
        total = self.acquisition.number_of_images
        expected = self.acquisition.misbehaviour.abort_after if self._is_to_be_aborted else total
        found = sum(outcome.is_acknowledged for outcome in self.outcomes)
        told = f"{self.peer} acknowledged {found} of {total}"
        if self._is_to_be_aborted:
            told += f"; the device was to abort after {expected}"
        problems = list(dict.fromkeys([self.stopped, *(outcome.problem for outcome in self.outcomes)]))
        problems = [problem for problem in problems if problem]
        if found != expected and problems:
            told += ": " + " ".join(problems[:PROBLEMS_TOLD_MAX])
        return Check("images", found == expected, _sentence(told))

    def _late_images(self) -> list[Check]:
        expected = self.acquisition.number_of_late_images
        if not expected or self._is_to_be_aborted:
            return []
        found = sum(outcome.is_acknowledged for outcome in self.late_outcomes)
        return [Check("late series", found == expected, f"{self.peer} acknowledged {found} of {expected}.")]

    def _step(self) -> Check:
        if not self.tells_step_to:
            return Check("performed step", True, "Nobody was told.")
        last = PerformedStepState.DISCONTINUED if self._is_to_be_aborted else PerformedStepState.COMPLETED
        held = self.step_states == [PerformedStepState.IN_PROGRESS, last]
        taken = ", ".join(self.step_states) or "nothing"
        told = f"{self.tells_step_to} took {taken}"
        return Check("performed step", held, _sentence(f"{told}: {self.step_problem}" if self.step_problem else told))

    def _commitment(self) -> Check:
        if self.commitment is None:
            if not self.asks_for_commitment_of:
                return Check("commitment", True, "Nobody was asked.")
            told = f"{self.asks_for_commitment_of} could be asked for nothing: no image was acknowledged."
            return Check("commitment", self._is_to_be_aborted and not self.acquisition.misbehaviour.abort_after, told)
        found = self.commitment
        held = len(found.committed) == len(self.acknowledged_references) and not found.failed and not found.unanswered
        told = (
            f"{self.asks_for_commitment_of} commits to {len(found.committed)} of {len(self.acknowledged_references)}"
            f"; {len(found.failed)} failed, {len(found.unanswered)} unanswered"
        )
        reasons = [describe_reason(reason) for _, reason in found.failed][:PROBLEMS_TOLD_MAX]
        more = "; ".join(dict.fromkeys([*reasons, *([self.commitment_problem] if self.commitment_problem else [])]))
        return Check("commitment", held, _sentence(f"{told}: {more}" if more else told))

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        acquisition = self.acquisition
        return {
            "profile": acquisition.profile.modality,
            "ae_title": acquisition.ae_title,
            "peer": self.peer,
            "seed": acquisition.seed,
            "begun_at": acquisition.begun_at.isoformat(timespec="seconds"),
            "is_scheduled": acquisition.order.is_scheduled,
            "study_instance_uid": acquisition.study_instance_uid,
            "accession_number": acquisition.order.accession_number,
            "held": self.held,
            "checks": [{"name": check.name, "held": check.held, "told": check.told} for check in self.checks],
            "expected": acquisition.number_of_images + acquisition.number_of_late_images,
            "acknowledged": len(self.acknowledged),
            "stopped": self.stopped,
            "instances": [outcome.as_json() for outcome in (*self.outcomes, *self.late_outcomes)],
            "performed_step": {
                "sop_instance_uid": acquisition.step.sop_instance_uid,
                "told_to": self.tells_step_to,
                "states": [state.value for state in self.step_states],
                "problem": self.step_problem,
            },
            "commitment": None
            if self.commitment is None
            else {
                "asked_of": self.asks_for_commitment_of,
                **self.commitment.as_json(),
                "problem": self.commitment_problem,
            },
        }


def _sentence(text: str) -> str:
    return text if text.endswith(".") else text + "."
