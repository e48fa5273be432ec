"""What a connection test found, step by step, from the name of the host to an image that was stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from isocenter.routing.catalogue.entry import Entry, Side


class StepName(StrEnum):
    """The steps, in their order; which of them there are depends on the protocol."""

    CONFIGURATION = "configuration"
    DNS = "dns"
    TCP = "tcp"
    TLS = "tls"
    ASSOCIATION = "association"
    ECHO = "echo"
    CONTEXTS = "contexts"
    FIND = "find"
    MOVE = "move"
    TOKEN = "token"  # noqa: S105 - the name of a step
    QIDO = "qido"
    WADO = "wado"
    STORE = "store"
    FOLDER = "folder"


class Outcome(StrEnum):
    """How a step ended."""

    PASSED = "passed"
    WARNED = "warned"
    """It went well, and somebody should do something soon."""
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Step:
    """One step."""

    name: StepName
    outcome: Outcome
    happened: str
    """In a sentence."""
    elapsed_s: float = 0.0
    advice: str = ""
    """What to do, or to tell the other side."""
    side: Side | None = None
    """Who can mend it."""
    code: str = ""
    """Of the catalogue, such as `reject:1.7`."""
    facts: tuple[tuple[str, str], ...] = ()
    """What was seen, by name."""

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "step": self.name.value,
            "outcome": self.outcome.value,
            "elapsed_s": round(self.elapsed_s, 6),
            "happened": self.happened,
            "advice": self.advice,
            "side": self.side.value if self.side else None,
            "code": self.code or None,
            "facts": dict(self.facts),
        }


@dataclass(frozen=True, slots=True)
class ConnectionReport:
    """What a connection test found."""

    destination: str
    """As it was named: a destination of the configuration, an address."""
    address: str
    steps: tuple[Step, ...] = ()
    caller: str = ""
    """As whom we call, where the protocol has a name for that."""

    @property
    def is_sound(self) -> bool:
        """Tell whether no step failed."""
        return all(step.outcome is not Outcome.FAILED for step in self.steps)

    @property
    def is_reached(self) -> bool:
        """Tell whether somebody answered at the address."""
        network = {StepName.DNS, StepName.TCP}
        return all(step.outcome is not Outcome.FAILED for step in self.steps if step.name in network)

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "destination": self.destination,
            "address": self.address,
            "caller": self.caller or None,
            "sound": self.is_sound,
            "steps": [step.as_json() for step in self.steps],
        }

    def message(self) -> str:
        """Return what to send to whoever looks after the other side, empty where there is nothing to mend there."""
        theirs = [step for step in self.steps if step.outcome is Outcome.FAILED and step.side not in (None, Side.OURS)]
        if not theirs:
            return ""
        caller = f" (we call as {self.caller})" if self.caller else ""
        lines = [f"We cannot use {self.address}{caller}:"]
        lines += [f"- {step.happened} {step.advice}".rstrip() for step in theirs]
        passed = ", ".join(step.name.value for step in self.steps if step.outcome is Outcome.PASSED)
        return "\n".join([*lines, f"What went well: {passed or 'nothing'}."])


OnStep = Callable[[Step], None]
"""Is told of each step when it has been taken."""


@dataclass(slots=True)
class Steps:
    """Gathers the steps of a test; after a failure that the rest depends on, what is left is skipped."""

    planned: tuple[StepName, ...]
    on_step: OnStep = lambda step: None
    taken: list[Step] = field(default_factory=list)

    def add(self, step: Step) -> Step:
        """Note a step."""
        self.taken.append(step)
        self.on_step(step)
        return step

    def finished(self) -> tuple[Step, ...]:
        """Return all steps in their order, those that were not taken as skipped."""
        by_name = {step.name: step for step in self.taken}
        failed = next((step.name.value for step in self.taken if step.outcome is Outcome.FAILED), "")
        reason = f"Not tried, because the step {failed} failed." if failed else "Not tried."
        return tuple(by_name.get(name) or Step(name, Outcome.SKIPPED, reason) for name in self.planned)


def passed(name: StepName, happened: str, *, elapsed_s: float = 0.0, **facts: object) -> Step:
    """Return a step that went well."""
    return Step(name, Outcome.PASSED, happened, elapsed_s, facts=_facts(facts))


def skipped(name: StepName, happened: str) -> Step:
    """Return a step that was left out."""
    return Step(name, Outcome.SKIPPED, happened)


def failed_by(name: StepName, entry: Entry, *, told: str = "", elapsed_s: float = 0.0, **facts: object) -> Step:
    """Return a step that failed, in the words of the catalogue; `told` is what the other side said itself."""
    happened = f"{entry.meaning} ({told})" if told else entry.meaning
    advice = entry.remedy.removeprefix("It is tried again.").removeprefix("A delivery is tried again.").strip()
    return Step(name, Outcome.FAILED, happened, elapsed_s, advice, entry.side, entry.key, _facts(facts))


def failed(  # one argument for each thing that is told of a failure
    name: StepName, happened: str, advice: str, *, side: Side, elapsed_s: float = 0.0, **facts: object
) -> Step:
    """Return a step that failed for a reason that no protocol has a code for."""
    return Step(name, Outcome.FAILED, happened, elapsed_s, advice, side, facts=_facts(facts))


def warned(name: StepName, happened: str, advice: str, *, elapsed_s: float = 0.0, **facts: object) -> Step:
    """Return a step that went well and that somebody should look at."""
    return Step(name, Outcome.WARNED, happened, elapsed_s, advice, facts=_facts(facts))


def _facts(facts: dict[str, object]) -> tuple[tuple[str, str], ...]:
    return tuple((name, str(value)) for name, value in facts.items() if value not in (None, ""))
