"""Look whether a node could run well here: named checks, each with state, finding and remedy.

A check never raises: what goes wrong in it is its finding. It changes nothing that stays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

from isocenter.app.settings import Settings
from isocenter.domain.errors import IsocenterError


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found, and what to do about it where something is to be done."""

    state: State
    finding: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """A question about this machine or a data folder."""

    name: str
    ask: Callable[[Settings], Finding]


@dataclass(frozen=True, slots=True)
class Answer:
    """A check's name with its finding."""

    name: str
    state: State
    finding: str
    remedy: str

    def as_json(self) -> dict[str, str]:
        """Return it as a JSON object."""
        return {key: str(value) for key, value in asdict(self).items()}


def ok(finding: str) -> Finding:
    """Return a finding that asks for nothing."""
    return Finding(State.OK, finding)


def warn(finding: str, remedy: str) -> Finding:
    """Return a finding that one can live with, for a while."""
    return Finding(State.WARN, finding, remedy)


def fail(finding: str, remedy: str) -> Finding:
    """Return a finding with which a node does not run, or not safely."""
    return Finding(State.FAIL, finding, remedy)


def all_checks() -> tuple[Check, ...]:
    """Return every check in the order in which one would ask."""
    from isocenter.app import doctor_exchange, doctor_machine, doctor_routing, doctor_storage

    return (*doctor_machine.CHECKS, *doctor_storage.CHECKS, *doctor_exchange.CHECKS, *doctor_routing.CHECKS)


def examine(settings: Settings, checks: Sequence[Check]) -> list[Answer]:
    """Ask every check."""
    return [_ask(check, settings) for check in checks]


def worst(answers: Sequence[Answer]) -> State:
    """Return the worst state among the answers."""
    order = (State.OK, State.WARN, State.FAIL)
    return max((answer.state for answer in answers), key=order.index, default=State.OK)


def _ask(check: Check, settings: Settings) -> Answer:
    try:
        found = check.ask(settings)
    except IsocenterError as error:
        found = fail(error.message, "Follow what the message says.")
    except OSError as error:
        found = fail(f"{error.filename or check.name}: {error.strerror}", "Check that this user may use it.")
    except Exception as error:  # the outermost loop of the checks: one that breaks must not hide the others
        found = fail(f"the check itself failed: {type(error).__name__}", "Report this as a fault of isocenter.")
    return Answer(check.name, found.state, found.finding, found.remedy)
