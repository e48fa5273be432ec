"""Read the configuration of channels from TOML: everything that is wrong is told at once, with line and key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from isocenter.domain.application_entity import AeAddress
from isocenter.routing.configuration.channel import (
    AfterReading,
    Channel,
    Configuration,
    DimseSource,
    FolderSource,
    Source,
)
from isocenter.routing.configuration.channel_sections import CHANNEL, RULE, SOURCES
from isocenter.routing.configuration.destination import (
    Destination,
    DimseTarget,
    OAuthAuthentication,
    RateLimit,
    WebTarget,
)
from isocenter.routing.configuration.destination_sections import (
    AUTHENTICATIONS,
    BREAKER,
    DESTINATION,
    LIMIT,
    RETRY,
    TARGETS,
)
from isocenter.routing.configuration.gateway import Gateway
from isocenter.routing.configuration.gateway_section import GATEWAY
from isocenter.routing.configuration.lines import KeyPath, locate_keys
from isocenter.routing.configuration.prefetch_section import PREFETCH
from isocenter.routing.configuration.problem import Problem, Report
from isocenter.routing.configuration.section import (
    Section,
    choose_section,
    read_keys,
    read_section,
    read_table,
    refuse_unknown,
)
from isocenter.routing.configuration.step_sections import STEPS, TRANSFORM, WHEN
from isocenter.routing.configuration.tables import is_there, iter_listed, parse_tables, read_named
from isocenter.routing.configuration.translator import Translator
from isocenter.routing.configuration.translator_section import TRANSLATOR
from isocenter.routing.prefetch.rule import PrefetchRule
from isocenter.routing.rules.decide import After, Rule
from isocenter.routing.transforms.check import objections_to
from isocenter.routing.transforms.step import Step, Transform

TEXT_LENGTH_MAX = 4 * 1024 * 1024
"""A thousand channels have some hundred kilobytes."""
ENTRIES_MAX = 1024
"""Channels, destinations, transforms, and rules or steps of one of them."""
_TABLES = ("channels", "destinations", "transforms", "translators", "prefetch", "gateways")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ReadConfiguration:
    """A sound configuration, and what is allowed in it and hardly meant."""

    configuration: Configuration
    warnings: tuple[Problem, ...]


def read_configuration(text: str, *, file: str) -> ReadConfiguration:
    """Return what a file says; `file` is its name for messages.

    Raises InvalidConfiguration with every problem.
    """
    tables = parse_tables(text, file, "a configuration of channels", length_max=TEXT_LENGTH_MAX)
    report = Report(file, locate_keys(text))
    refuse_unknown(tables, _TABLES, (), report)
    configuration = Configuration(
        channels=read_named(tables, "channels", report, _channel, count_max=ENTRIES_MAX),
        destinations=read_named(tables, "destinations", report, _destination, count_max=ENTRIES_MAX),
        transforms=read_named(tables, "transforms", report, _transform, count_max=ENTRIES_MAX),
        translators=read_named(tables, "translators", report, _translator, count_max=ENTRIES_MAX),
        prefetch=read_named(tables, "prefetch", report, _prefetch, count_max=ENTRIES_MAX),
        gateways=read_named(tables, "gateways", report, _gateway, count_max=ENTRIES_MAX),
    )
    _check_references(configuration, report)
    _check_listeners(configuration, report)
    _check_titles(configuration, report)
    report.raise_if_refused()
    _warn_of_unused(configuration, report)
    return ReadConfiguration(configuration, tuple(report.warnings))


# Channels


def _channel(name: str, table: Mapping[str, object], path: KeyPath, report: Report) -> Channel | None:
    values = read_keys(CHANNEL, table, path, report, others=("source", "rules"))
    source = _source(table, path, report)
    rules = [_rule(inner, at, report) for inner, at in iter_listed(table, "rules", path, report, count_max=ENTRIES_MAX)]
    sound = [rule for rule in rules if rule is not None]
    _check_rules(sound, path, report)
    if values is None or source is None or len(sound) != len(rules):
        return None
    return Channel(name=name, source=source, rules=tuple(sound), **_any(values))


def _source(table: Mapping[str, object], path: KeyPath, report: Report) -> Source | None:
    if "source" not in table:
        report.refuse(path, "source is missing; it is a table with the key kind.")
        return None
    at = (*path, "source")
    inner = read_table(table["source"], at, report)
    section = None if inner is None else choose_section(SOURCES, inner, at, report)
    source: Source | None = None if inner is None or section is None else read_section(section, inner, at, report)
    if isinstance(source, FolderSource) and source.after is AfterReading.MOVE and not source.moved_to:
        report.refuse(at, 'Files that were taken in are moved, so moved_to must say where to; or set after = "keep".')
    return source


def _rule(table: Mapping[str, object], path: KeyPath, report: Report) -> Rule | None:
    rule: Rule | None = read_section(RULE, table, path, report)
    if rule is not None and rule.is_otherwise and rule.when is not None:
        report.refuse(
            (*path, "when"), "A rule that runs where no other matched has no condition; remove when, or otherwise."
        )
    return rule


def _check_rules(rules: Sequence[Rule], path: KeyPath, report: Report) -> None:
    names: set[str] = set()
    ends_at: str | None = None
    for number, rule in enumerate(rules):
        at = (*path, "rules", number)
        if rule.name in names:
            report.refuse((*at, "name"), f"Two rules of this channel are named {rule.name!r}.")
        names.add(rule.name)
        if ends_at is not None:
            report.warn(at, f"This rule is never asked, because {ends_at!r} matches everything and stops.")
        elif rule.when is None and not rule.is_otherwise and rule.after is After.STOP:
            ends_at = rule.name
    if not rules:
        report.warn(path, "Without rules nothing that comes in goes anywhere.")


# Destinations


def _destination(name: str, table: Mapping[str, object], path: KeyPath, report: Report) -> Destination | None:
    section = choose_section(TARGETS, table, path, report)
    tables = ("limits", "retry", "breaker", "authentication")
    target_keys = [key.name for key in section.keys] if section is not None else list(table)
    values = read_keys(DESTINATION, table, path, report, others=("kind", *tables, *target_keys))
    target = None if section is None else _target(section, table, path, report)
    listed = iter_listed(table, "limits", path, report, count_max=ENTRIES_MAX)
    limits: list[Any] = [read_section(LIMIT, inner, at, report) for inner, at in listed]
    policies: dict[str, Any] = {
        key: read_section(section, inner, (*path, key), report)
        for key, section in (("retry", RETRY), ("breaker", BREAKER))
        if key in table and (inner := read_table(table[key], (*path, key), report)) is not None
    }
    if values is None or target is None or None in limits or None in policies.values():
        return None
    _check_limits(limits, path, report)
    return Destination(name=name, target=target, limits=tuple(limits), **policies, **_any(values))


def _target(section: Section, table: Mapping[str, object], path: KeyPath, report: Report) -> Any | None:
    own = {key.name: table[key.name] for key in section.keys if key.name in table}
    values = read_keys(section, own, path, report)
    if section.make is not WebTarget:
        if "authentication" in table:
            report.refuse((*path, "authentication"), "Only a destination of kind dicomweb has it.")
        return None if values is None else section.make(**values)
    authentication = _authentication(table, path, report)
    if values is None or authentication is None:
        return None
    target = WebTarget(**_any(values), **_any(authentication))
    if bool(target.client_certificate_file) != bool(target.client_key_file):
        report.refuse(path, "client_certificate_file and client_key_file stand together.")
    return target


def _authentication(table: Mapping[str, object], path: KeyPath, report: Report) -> dict[str, object] | None:
    if "authentication" not in table:
        return {}
    at = (*path, "authentication")
    inner = read_table(table["authentication"], at, report)
    section = None if inner is None else choose_section(AUTHENTICATIONS, inner, at, report)
    found = None if inner is None or section is None else read_section(section, inner, at, report)
    if isinstance(found, OAuthAuthentication) and bool(found.scope) == bool(found.resource):
        report.refuse(at, "Either scope or resource says what the token is for; with Microsoft Entra ID it is scope.")
    return None if found is None else {"authentication": found}


def _check_limits(limits: Sequence[RateLimit], path: KeyPath, report: Report) -> None:
    for number, limit in enumerate(limits):
        if not limit.bytes_per_s and not limit.instances_per_s:
            report.warn((*path, "limits", number), "This sets no limit: neither rate nor instances_per_s.")


# Transforms


def _transform(name: str, table: Mapping[str, object], path: KeyPath, report: Report) -> Transform | None:
    values = read_keys(TRANSFORM, table, path, report, others=("steps",))
    steps = [_step(inner, at, report) for inner, at in iter_listed(table, "steps", path, report, count_max=ENTRIES_MAX)]
    sound = [step for step in steps if step is not None]
    if not steps:
        report.warn(path, "Without steps it changes nothing.")
    if values is None or len(sound) != len(steps):
        return None
    return Transform(name=name, steps=tuple(sound), **_any(values))


def _step(table: Mapping[str, object], path: KeyPath, report: Report) -> Step | None:
    first_keys = [section.keys[0].name for section in STEPS]
    chosen = [section for section in STEPS if section.keys[0].name in table]
    if len(chosen) != 1:
        report.refuse(path, f"A step has exactly one of the keys {', '.join(first_keys)}, which says what it does.")
        return None
    own = {key: value for key, value in table.items() if key != WHEN.name}
    values = read_keys(chosen[0], own, path, report)
    condition = _condition(table, path, report)
    if values is None or condition is None:
        return None
    action = chosen[0].make(**values)
    for objection in objections_to(action):
        report.refuse(path, objection)
    return Step(action, **_any(condition))


def _condition(table: Mapping[str, object], path: KeyPath, report: Report) -> dict[str, object] | None:
    only = {key: value for key, value in table.items() if key == WHEN.name}
    return read_keys(_WHEN_SECTION, only, path, report)


# Translators


def _translator(name: str, table: Mapping[str, object], path: KeyPath, report: Report) -> Translator | None:
    values = read_keys(TRANSLATOR, table, path, report)
    return None if values is None else Translator(name=name, **_any(values))


# Prefetch


def _prefetch(name: str, table: Mapping[str, object], path: KeyPath, report: Report) -> PrefetchRule | None:
    values = read_keys(PREFETCH, table, path, report)
    return None if values is None else PrefetchRule(name=name, **_any(values))


# Gateways


def _gateway(name: str, table: Mapping[str, object], path: KeyPath, report: Report) -> Gateway | None:
    values = read_keys(GATEWAY, table, path, report)
    return None if values is None else Gateway(name=name, **_any(values))


# What one part says of another


def _check_references(configuration: Configuration, report: Report) -> None:
    destinations = [destination.name for destination in configuration.destinations]
    transforms = [transform.name for transform in configuration.transforms]
    for channel in configuration.channels:
        for number, rule in enumerate(channel.rules):
            path = ("channels", channel.name, "rules", number)
            _check_names(rule.to, destinations, "destination", (*path, "to"), report)
            _check_names(rule.transforms, transforms, "transform", (*path, "transforms"), report)
    _check_upstreams(configuration, destinations, report)
    _check_sources(configuration, destinations, report)


def _check_upstreams(configuration: Configuration, destinations: Sequence[str], report: Report) -> None:
    asks_web = "is not of kind dicomweb; a translator asks a DICOMweb service."
    asks_ae = "is not of kind dimse; a gateway asks an application entity."
    for translator in configuration.translators:
        at = ("translators", translator.name, "upstream")
        destination = _upstream(configuration, translator.upstream, destinations, at, report)
        if destination is not None and not isinstance(destination.target, WebTarget):
            report.refuse(at, f"{translator.upstream} {asks_web}")
    for gateway in configuration.gateways:
        at = ("gateways", gateway.name, "upstream")
        destination = _upstream(configuration, gateway.upstream, destinations, at, report)
        if destination is not None and not isinstance(destination.target, DimseTarget):
            report.refuse(at, f"{gateway.upstream} {asks_ae}")


def _upstream(
    configuration: Configuration, name: str, known: Sequence[str], path: KeyPath, report: Report
) -> Destination | None:
    destination = configuration.destination(name)
    if destination is None:
        is_there(name, known, "destination", path, report)
    return destination


def _check_sources(configuration: Configuration, destinations: Sequence[str], report: Report) -> None:
    for rule in configuration.prefetch:
        at = ("prefetch", rule.name, "sources")
        _check_names(rule.sources, destinations, "destination", at, report)
        if not rule.sources:
            report.refuse(at, "A rule for prefetching searches at least one destination.")
        for number, name in enumerate(rule.sources):
            destination = configuration.destination(name)
            if destination is not None and not isinstance(destination.target, DimseTarget | WebTarget):
                report.refuse((*at, number), f"{name} cannot be searched; only kinds dimse and dicomweb can.")


def _check_names(names: Sequence[str], known: Sequence[str], what: str, path: KeyPath, report: Report) -> None:
    for number, name in enumerate(names):
        if name in known and name in names[:number]:
            report.refuse((*path, number), f"The {what} {name} is named twice.")
        is_there(name, known, what, (*path, number), report)


def _check_listeners(configuration: Configuration, report: Report) -> None:
    taken: dict[int, tuple[str, str]] = {}
    for owner, path, listen in _listeners(configuration):
        other = taken.get(listen.port)
        if other is not None and listen.port and (other[1] == listen.host or {other[1], listen.host} & _EVERYWHERE):
            report.refuse(path, f"Port {listen.port} is taken by {other[0]}; each listener has a port of its own.")
        taken.setdefault(listen.port, (owner, listen.host))


def _check_titles(configuration: Configuration, report: Report) -> None:
    """Storage commitments are kept by the title that they were asked of, and each translator sees to its own."""
    owners: dict[str, str] = {}
    for one in configuration.translators:
        other = owners.setdefault(one.listen.ae_title, one.name)
        if other != one.name:
            path = ("translators", one.name, "listen")
            report.refuse(path, f"{one.listen.ae_title} is the title of translator {other}; each has its own.")


def _listeners(configuration: Configuration) -> Iterator[tuple[str, KeyPath, AeAddress]]:
    for channel in configuration.channels:
        if isinstance(channel.source, DimseSource):
            yield f"channel {channel.name}", ("channels", channel.name, "source", "listen"), channel.source.listen
    for translator in configuration.translators:
        yield f"translator {translator.name}", ("translators", translator.name, "listen"), translator.listen
    for gateway in configuration.gateways:
        if gateway.listen is not None:
            yield f"gateway {gateway.name}", ("gateways", gateway.name, "listen"), gateway.listen


def _warn_of_unused(configuration: Configuration, report: Report) -> None:
    rules = [rule for channel in configuration.channels for rule in channel.rules]
    used = {
        "destinations": {
            *(name for rule in rules for name in rule.to),
            *(translator.upstream for translator in configuration.translators),
            *(gateway.upstream for gateway in configuration.gateways),
            *(name for rule in configuration.prefetch for name in rule.sources),
        },
        "transforms": {name for rule in rules for name in rule.transforms},
    }
    for key, entries in (("destinations", configuration.destinations), ("transforms", configuration.transforms)):
        for entry in entries:
            if entry.name not in used[key]:
                report.warn((key, entry.name), "No rule names it.")


_EVERYWHERE = {"0.0.0.0", "::"}  # noqa: S104 - recognised, not listened on
_WHEN_SECTION = Section(Step, (WHEN,))


def _any(values: Mapping[str, object]) -> dict[str, Any]:
    """Return values for a constructor whose types the kinds of their keys hold to."""
    return dict(values)
