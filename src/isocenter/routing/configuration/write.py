"""Write a configuration as TOML, always the same for the same: what is the default is left out."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from isocenter.routing.configuration.channel import Channel, Configuration
from isocenter.routing.configuration.channel_sections import CHANNEL, RULE, SOURCES
from isocenter.routing.configuration.destination import Destination, NoAuthentication, WebTarget
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
from isocenter.routing.configuration.prefetch_section import PREFETCH
from isocenter.routing.configuration.section import Section, defaults_of, write_section
from isocenter.routing.configuration.step_sections import STEPS, TRANSFORM, WHEN
from isocenter.routing.configuration.translator import Translator
from isocenter.routing.configuration.translator_section import TRANSLATOR
from isocenter.routing.prefetch.rule import PrefetchRule
from isocenter.routing.transforms.step import Step, Transform

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
Table = dict[str, object]
NAMED_DEPTH = 2
"""`channels`, and the name of one."""
VERSION_LENGTH = 12
"""Hexadecimal digits; a channel has some hundred versions in its life."""
INLINE_KEYS_MAX = 4
"""So many fit on a line."""


def write_configuration(configuration: Configuration) -> str:
    """Return the text that `read_configuration` reads a configuration from."""
    return write_toml(tables_of(configuration))


def tables_of(configuration: Configuration) -> Table:
    """Return a configuration as tables, lists, texts and numbers, for TOML and JSON."""
    tables: Table = {
        "channels": {channel.name: channel_table(channel) for channel in configuration.channels},
        "destinations": {one.name: destination_table(one) for one in configuration.destinations},
        "transforms": {transform.name: transform_table(transform) for transform in configuration.transforms},
        "translators": {one.name: translator_table(one) for one in configuration.translators},
        "prefetch": {rule.name: prefetch_table(rule) for rule in configuration.prefetch},
        "gateways": {gateway.name: gateway_table(gateway) for gateway in configuration.gateways},
    }
    return {key: table for key, table in tables.items() if table}


def version_of(configuration: Configuration, channel: Channel) -> str:
    """Return a short name for what a channel does: the same as long as its source, rules and transforms are.

    Decisions and deliveries note it, so that it can be told which rules sent an instance.
    """
    named = {name for rule in channel.rules for name in rule.transforms}
    transforms = {one.name: transform_table(one) for one in configuration.transforms if one.name in named}
    text = write_toml({"channel": channel_table(channel), "transforms": transforms})
    return hashlib.sha256(text.encode()).hexdigest()[:VERSION_LENGTH]


def channel_table(channel: Channel) -> Table:
    """Return the table of a channel."""
    rules = [write_section(RULE, rule) for rule in channel.rules]
    source = {"source": write_section(_section_of(SOURCES, channel.source), channel.source)}
    return write_section(CHANNEL, channel) | source | ({"rules": rules} if rules else {})


def destination_table(destination: Destination) -> Table:
    """Return the table of a destination."""
    target = destination.target
    table = write_section(_section_of(TARGETS, target), target) | write_section(DESTINATION, destination)
    if isinstance(target, WebTarget) and target.authentication != NoAuthentication():
        table["authentication"] = write_section(
            _section_of(AUTHENTICATIONS, target.authentication), target.authentication
        )
    for key, section in (("retry", RETRY), ("breaker", BREAKER)):
        policy = getattr(destination, key)
        if policy != defaults_of(Destination)[key]:
            table[key] = write_section(section, policy)
    if destination.limits:
        table["limits"] = [write_section(LIMIT, limit) for limit in destination.limits]
    return table


def transform_table(transform: Transform) -> Table:
    """Return the table of a transform."""
    steps = [step_table(step) for step in transform.steps]
    return write_section(TRANSFORM, transform) | ({"steps": steps} if steps else {})


def prefetch_table(rule: PrefetchRule) -> Table:
    """Return the table of a rule for prefetching."""
    return write_section(PREFETCH, rule)


def gateway_table(gateway: Gateway) -> Table:
    """Return the table of a gateway."""
    return write_section(GATEWAY, gateway)


def translator_table(translator: Translator) -> Table:
    """Return the table of a translator."""
    return write_section(TRANSLATOR, translator)


def step_table(step: Step) -> Table:
    """Return the table of a step."""
    section = _section_of(STEPS, step.action)
    table = write_section(section, step.action)
    first = section.keys[0]
    table.setdefault(first.name, first.kind.write(getattr(step.action, first.field_name)))
    return table | ({} if step.when is None else {WHEN.name: WHEN.kind.write(step.when)})


def _section_of(sections: Iterable[Section], value: Any) -> Section:
    return next(section for section in sections if section.make is type(value))


# TOML


def write_toml(tables: Mapping[str, object]) -> str:
    """Return tables as TOML: plain keys first, then tables, then lists of tables."""
    return "\n\n".join(_blocks(tables, ())) + "\n" if tables else ""


def _blocks(table: Mapping[str, object], path: tuple[str, ...], *, header: str = "") -> Iterator[str]:
    blocks = {key: value for key, value in table.items() if _is_block(value, depth=len(path))}
    lines = [f"{_key(key)} = {write_value(value)}" for key, value in table.items() if key not in blocks]
    if lines or (header and not blocks) or header.startswith("[["):
        yield "\n".join([*([header] if header else []), *lines])
    for key, value in blocks.items():
        inner = (*path, key)
        name = ".".join(map(_key, inner))
        if isinstance(value, dict):
            yield from _blocks(value, inner, header=f"[{name}]")
        elif isinstance(value, list):
            for item in value:
                yield from _blocks(item, inner, header=f"[[{name}]]")


def _is_block(value: object, *, depth: int) -> bool:
    """Tell whether a value has a header of its own: named entries always, a short table within them has not."""
    if isinstance(value, dict):
        is_short = all(isinstance(one, str) for one in value.values()) and len(value) <= INLINE_KEYS_MAX
        return depth < NAMED_DEPTH or "kind" in value or not is_short
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


def _key(text: str) -> str:
    return text if _BARE_KEY.fullmatch(text) else _text(text)


def write_value(value: object) -> str:
    """Return a value as TOML, on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {write_value(one)}" for key, one in value.items()) + " }"
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(write_value, value)) + "]"
    return repr(value)


def _text(text: str) -> str:
    """Return a text in quotes, in those that need no escapes where it holds the others."""
    if '"' in text and "'" not in text and "\\" not in text and text.isprintable():
        return f"'{text}'"
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
