"""The page of the reference about faults and scenarios, made from the tables that they are read by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from isocenter.modality.faults.scenario import ProcessAction
from isocenter.modality.faults.scenario_sections import COUNTER, EXPECTATIONS, LINK, LOAD, PROCESS, STEP, TOP
from isocenter.modality.faults.sections import BYTE_FAULTS, DIMSE_FAULTS, HTTP_FAULTS
from isocenter.routing.configuration.section import Key, Section, defaults_of
from isocenter.routing.configuration.write import write_value

_ACTIONS = {
    ProcessAction.KILL: "ends at once, as where the power goes",
    ProcessAction.TERMINATE: "is asked to end, and killed where it does not",
    ProcessAction.START: "starts, again or for the first time; the step is over when it is ready",
    ProcessAction.STOP: "is there and does nothing (SIGSTOP)",
    ProcessAction.CONTINUE: "goes on (SIGCONT)",
    ProcessAction.DENY_WRITES: "gets an error (EFBIG) for every write to a file, by a limit of the kernel; Linux only",
    ProcessAction.ALLOW_WRITES: "may write again",
    ProcessAction.FILL_VOLUME: "finds no room on its `volume` (ENOSPC); Linux only",
    ProcessAction.FREE_VOLUME: "finds room again",
}
_EVERY_FAULT = """\
## Every fault

These keys go with all kinds. A count or a probability is of occasions: connections for faults of bytes, requests for
those of HTTP, associations or instances for those of DIMSE.

"""
_SCENARIOS = """\
## Scenarios

`{folder}` stands for the folder of the run, `{port.NAME}` for a free port, the same wherever the name appears.
`[files]` has texts by path, which are written into the folder before anything starts.

"""
_STEPS = """\
### Steps: `[[timeline]]`

Steps are made one after the other. Each has one of `at`, `wait`, `after`; and `link` with `set` (a fault as above, with
its `kind`) or `clear`, or `process` with `do`.

"""
_COMMON_NAMES = ("count", "probability", "seed")


def render_faults(note: str) -> str:
    """Return the page."""
    lines = [
        "# Faults",
        "",
        note,
        "",
        "What `isocenter faults` can do to a link, and the TOML of scenarios. How they are used is in",
        "[the how-to](../how-to/outages.md).",
        "",
    ]
    return "\n".join([*lines, *_faults(), *_scenario()])


def _faults() -> Iterator[str]:
    yield from _EVERY_FAULT.splitlines()
    yield from _table([key for key in BYTE_FAULTS[0].keys if key.name in _COMMON_NAMES], BYTE_FAULTS[0])
    yield from _kinds("## Of bytes: any link", BYTE_FAULTS)
    yield from _kinds("## Of HTTP: links of protocol `http`", HTTP_FAULTS)
    yield from _kinds("## Of DIMSE: links of protocol `dimse`", DIMSE_FAULTS)


def _kinds(heading: str, sections: Sequence[Section]) -> Iterator[str]:
    yield from [heading, ""]
    for section in sections:
        yield from [f"### `{section.kind}`", "", section.help, ""]
        yield from _table([key for key in section.keys if key.name not in _COMMON_NAMES], section)


def _scenario() -> Iterator[str]:
    yield from _SCENARIOS.splitlines()
    yield from _table(TOP.keys, TOP)
    for heading, section in (
        ("### Processes: `[processes.NAME]`", PROCESS),
        ("### Links: `[links.NAME]`", LINK),
        ("### Counters: `[counters.NAME]`", COUNTER),
        ("### Load: `[load]`", LOAD),
    ):
        yield from [heading, "", *([section.help, ""] if section.help else [])]
        yield from _table(section.keys, section)
    yield from _STEPS.splitlines()
    yield from _table(STEP.keys, STEP, has_defaults=False)
    yield from ["| `do` | the process |", "|---|---|"]
    yield from [*(f"| `{action}` | {meaning} |" for action, meaning in _ACTIONS.items()), ""]
    yield from ["### Expectations: `[[expectations]]`", ""]
    for section in EXPECTATIONS:
        yield from [f"#### `{section.kind}`", "", section.help, ""]
        yield from _table(section.keys, section)


def _table(keys: Iterable[Key], section: Section, *, has_defaults: bool = True) -> Iterator[str]:
    rows = [
        f"| `{key.name}` | {key.kind.expected} | {_default(key, section) if has_defaults else ''} | {key.help} |"
        for key in keys
    ]
    if rows:
        yield from ["| key | expected | default | meaning |", "|---|---|---|---|", *rows, ""]


def _default(key: Key, section: Section) -> str:
    if section.is_required(key):
        return "needed"
    value: Any = defaults_of(section.make).get(key.field_name)
    return "" if value in (None, "", ()) else f"`{write_value(key.kind.write(value))}`"
