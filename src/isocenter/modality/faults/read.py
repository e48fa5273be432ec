"""Read a scenario from TOML: everything that is wrong is told at once, with line and key."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from isocenter.domain.errors import InvalidRequest
from isocenter.modality.faults.fault import Fault
from isocenter.modality.faults.link import LinkPlan, require_fitting
from isocenter.modality.faults.scenario import (
    ActOnProcess,
    AddsUp,
    AfterCounter,
    AfterPause,
    AtTime,
    ClearFaults,
    CounterPlan,
    DuplicatesAtMost,
    Expectation,
    FilePlan,
    LoadPlan,
    ProcessAction,
    ProcessPlan,
    Reached,
    RecoveredWithin,
    Scenario,
    SetFault,
    StaysAtMost,
    Step,
    Trigger,
)
from isocenter.modality.faults.scenario_sections import (
    COUNTER,
    EXPECTATIONS,
    LINK,
    LOAD,
    PROCESS,
    STEP,
    TOP,
    LinkTable,
    StepTable,
    Top,
)
from isocenter.modality.faults.sections import read_fault
from isocenter.routing.configuration.lines import KeyPath, locate_keys
from isocenter.routing.configuration.problem import Report
from isocenter.routing.configuration.section import choose_section, read_keys, read_section, read_table
from isocenter.routing.configuration.tables import is_there, iter_listed, parse_tables, read_named

TEXT_LENGTH_MAX = 1024 * 1024
"""A scenario of a whole hospital has some ten kilobytes."""
ENTRIES_MAX = 256
"""Processes, links, counters, files, steps, expectations: more than one machine plays."""
_TABLES = ("files", "processes", "links", "counters", "load", "timeline", "expectations")
_PLACE = re.compile(r"\{(folder|port\.[A-Za-z0-9][A-Za-z0-9_-]*)\}", re.ASCII)
T = TypeVar("T")


def expand(text: str, *, folder: str, port_of: Callable[[str], int]) -> str:
    """Return a scenario with `{folder}` and `{port.NAME}` in it filled in; a name has one port wherever it stands."""
    ports: dict[str, int] = {}

    def filled(found: re.Match[str]) -> str:
        if found[1] == "folder":
            return folder
        name = found[1].removeprefix("port.")
        if name not in ports:
            ports[name] = port_of(name)
        return str(ports[name])

    return _PLACE.sub(filled, text)


def read_scenario(text: str, *, file: str) -> Scenario:
    """Return what a file says, expanded before; `file` is its name for messages.

    Raises InvalidConfiguration with every problem.
    """
    tables = parse_tables(text, file, "a scenario", length_max=TEXT_LENGTH_MAX)
    report = Report(file, locate_keys(text))
    values = read_keys(TOP, tables, (), report, others=_TABLES)
    top = None if values is None else Top(**_any(values))
    scenario = Scenario(
        name="" if top is None else top.name,
        description="" if top is None else top.description,
        duration_max_s=0.0 if top is None else top.duration_max_s,
        files=_files(tables, report),
        processes=read_named(tables, "processes", report, _process, count_max=ENTRIES_MAX),
        links=read_named(tables, "links", report, _link, count_max=ENTRIES_MAX),
        counters=read_named(tables, "counters", report, _counter, count_max=ENTRIES_MAX),
        load=_load(tables, report),
        steps=_steps(tables, report),
        expectations=_expectations(tables, report),
    )
    _check(scenario, report)
    report.raise_if_refused()
    return scenario


def _files(tables: Mapping[str, object], report: Report) -> tuple[FilePlan, ...]:
    table = read_table(tables.get("files", {}), ("files",), report) or {}
    found = []
    for name, text in table.items():
        if not isinstance(text, str):
            report.refuse(("files", name), "Expected is the text of the file.")
        elif not name or name.startswith("/") or ".." in name.split("/"):
            report.refuse(("files", name), "A file lies within the folder of the scenario.")
        else:
            found.append(FilePlan(name, text))
    return tuple(found)


def _process(name: str, table: Mapping[str, object], path: KeyPath, report: Report) -> ProcessPlan | None:
    plan: ProcessPlan | None = read_section(PROCESS, table, path, report)
    if plan is not None and not plan.command:
        report.refuse((*path, "command"), "A command names a program.")
    return None if plan is None else replace(plan, name=name)


def _link(name: str, table: Mapping[str, object], path: KeyPath, report: Report) -> LinkPlan | None:
    read: LinkTable | None = read_section(LINK, table, path, report)
    return None if read is None else LinkPlan(name, read.listen, read.target, read.protocol)


def _counter(name: str, table: Mapping[str, object], path: KeyPath, report: Report) -> CounterPlan | None:
    plan: CounterPlan | None = read_section(COUNTER, table, path, report)
    return None if plan is None else replace(plan, name=name)


def _load(tables: Mapping[str, object], report: Report) -> LoadPlan | None:
    if "load" not in tables:
        return None
    table = read_table(tables["load"], ("load",), report)
    plan: LoadPlan | None = None if table is None else read_section(LOAD, table, ("load",), report)
    return plan


# Steps


def _steps(tables: Mapping[str, object], report: Report) -> tuple[Step, ...]:
    listed = iter_listed(tables, "timeline", (), report, count_max=ENTRIES_MAX)
    steps = [_step(table, path, report) for table, path in listed]
    return tuple(step for step in steps if step is not None)


def _step(table: Mapping[str, object], path: KeyPath, report: Report) -> Step | None:
    values = read_keys(STEP, table, path, report, others=("set",))
    if values is None:
        return None
    read = StepTable(**_any(values))
    triggers: list[Trigger] = []
    if read.at_s is not None:
        triggers.append(AtTime(read.at_s))
    if read.wait_s is not None:
        triggers.append(AfterPause(read.wait_s))
    if read.after is not None:
        triggers.append(read.after)
    if len(triggers) != 1:
        report.refuse(path, "A step has exactly one of the keys at, wait, after, which says when.")
    action = _action(table, read, path, report)
    return Step(triggers[0], action) if len(triggers) == 1 and action is not None else None


def _action(
    table: Mapping[str, object], read: StepTable, path: KeyPath, report: Report
) -> SetFault | ClearFaults | ActOnProcess | None:
    if read.process and read.do is not None and not (read.link or read.clears or "set" in table):
        return ActOnProcess(read.process, read.do)
    if read.link and not read.process and read.do is None and read.clears != ("set" in table):
        if read.clears:
            return ClearFaults(read.link)
        inner = read_table(table["set"], (*path, "set"), report)
        fault = None if inner is None else read_fault(inner, (*path, "set"), report)
        return None if fault is None else SetFault(read.link, fault, read.for_s)
    report.refuse(path, "A step has link with set or clear, or process with do.")
    return None


# Expectations


def _expectations(tables: Mapping[str, object], report: Report) -> tuple[Expectation, ...]:
    found: list[Expectation] = []
    for table, path in iter_listed(tables, "expectations", (), report, count_max=ENTRIES_MAX):
        section = choose_section(EXPECTATIONS, table, path, report)
        read: Expectation | None = None if section is None else read_section(section, table, path, report)
        if isinstance(read, DuplicatesAtMost) and bool(read.link) == bool(read.archive):
            report.refuse(path, "Either link or archive says where duplicates are counted.")
        if read is not None:
            found.append(read)
    return tuple(found)


# What one part says of another


def _check(scenario: Scenario, report: Report) -> None:
    links = {link.name: link for link in scenario.links}
    processes = {process.name: process for process in scenario.processes}
    counters = [counter.name for counter in scenario.counters]
    for number, step in enumerate(scenario.steps):
        at: KeyPath = ("timeline", number)
        match step.action:
            case SetFault(link=name, fault=fault):
                if is_there(name, links, "link", (*at, "link"), report):
                    _check_fitting(fault, links[name], (*at, "set"), report)
            case ClearFaults(link=name):
                is_there(name, links, "link", (*at, "link"), report)
            case ActOnProcess(process=name, action=action):
                if is_there(name, processes, "process", (*at, "process"), report, table="processes"):
                    _check_volume(action, processes[name], (*at, "do"), report)
        if isinstance(step.trigger, AfterCounter):
            is_there(step.trigger.counter, counters, "counter", (*at, "after"), report)
    for number, expectation in enumerate(scenario.expectations):
        at = ("expectations", number)
        for name in _counters_of(expectation):
            is_there(name, counters, "counter", at, report)
        if isinstance(expectation, DuplicatesAtMost) and expectation.link:
            is_there(expectation.link, links, "link", (*at, "link"), report)
    if not scenario.expectations:
        report.refuse(("expectations",), "Without expectations there is no verdict; add some below [[expectations]].")


def _check_volume(action: ProcessAction, process: ProcessPlan, path: KeyPath, report: Report) -> None:
    if action in (ProcessAction.FILL_VOLUME, ProcessAction.FREE_VOLUME) and not process.volume:
        report.refuse(path, f"The process {process.name} has no volume; name its folder by the key volume.")


def _check_fitting(fault: Fault, link: LinkPlan, path: KeyPath, report: Report) -> None:
    try:
        require_fitting(fault, link)
    except InvalidRequest as error:
        report.refuse(path, error.message)


def _counters_of(expectation: Expectation) -> tuple[str, ...]:
    match expectation:
        case RecoveredWithin() | Reached() | StaysAtMost():
            return (expectation.counter,)
        case AddsUp():
            return (expectation.whole, *expectation.parts)
        case _:
            return ()


def _any(values: Mapping[str, object]) -> dict[str, Any]:
    """Return values for a constructor whose types the kinds of their keys hold to."""
    return dict(values)
