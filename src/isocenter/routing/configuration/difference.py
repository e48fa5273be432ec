"""What changes from one configuration to another, in words, and which channels it touches.

A channel, destination, rule or transform is the same one as long as its name is. Secrets are names here, so there is
nothing to hide.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import zip_longest

from isocenter.routing.configuration.channel import Channel, Configuration
from isocenter.routing.configuration.channel_sections import RULE
from isocenter.routing.configuration.section import write_section
from isocenter.routing.configuration.write import (
    Table,
    channel_table,
    destination_table,
    gateway_table,
    prefetch_table,
    step_table,
    transform_table,
    translator_table,
    write_value,
)
from isocenter.routing.rules.decide import Rule
from isocenter.routing.transforms.step import Transform


class Change(StrEnum):
    """What happened to a thing."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    MOVED = "moved"


class Thing(StrEnum):
    """What it happened to."""

    CHANNEL = "channel"
    RULE = "rule"
    DESTINATION = "destination"
    TRANSFORM = "transform"
    TRANSLATOR = "translator"
    PREFETCH = "rule for prefetching"
    GATEWAY = "gateway"


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it was."""

    change: Change
    thing: Thing
    name: str
    details: tuple[str, ...] = ()
    """What is otherwise, in sentences without a full stop."""
    channels: tuple[str, ...] = ()
    """Whose traffic it touches; of a rule the channel that it belongs to."""

    def __str__(self) -> str:
        place = f" of channel {self.channels[0]}" if self.thing is Thing.RULE else ""
        name = repr(self.name) if self.thing is Thing.RULE else self.name
        told = f"{self.thing.value} {name}{place} is {self.change.value}"
        details = (": " + "; ".join(self.details)) if self.details else ""
        is_used = self.thing in (Thing.DESTINATION, Thing.TRANSFORM) and self.channels
        return told + details + (f" (used by {', '.join(self.channels)})" if is_used else "")


def compare_configurations(before: Configuration, after: Configuration) -> tuple[Difference, ...]:
    """Return what changes, in the order of the file; nothing where both say the same."""
    return (
        *_channels(before, after),
        *_destinations(before, after),
        *_transforms(before, after),
        *_translators(before, after),
        *_prefetch(before, after),
        *_gateways(before, after),
    )


def _channels(before: Configuration, after: Configuration) -> Iterator[Difference]:
    old, new = ({channel.name: channel for channel in one.channels} for one in (before, after))
    for name in _names(old, new):
        was, now = old.get(name), new.get(name)
        if was is None or now is None:
            change = Change.ADDED if was is None else Change.REMOVED
            yield Difference(change, Thing.CHANNEL, name, _summary(now or was), (name,))
            continue
        details = _changes(_without(channel_table(was), "rules"), _without(channel_table(now), "rules"))
        if details:
            yield Difference(Change.CHANGED, Thing.CHANNEL, name, details, (name,))
        yield from _rules(name, was.rules, now.rules)


def _summary(channel: Channel | None) -> tuple[str, ...]:
    if channel is None:
        return ()
    source = channel_table(channel)["source"]
    assert isinstance(source, dict)
    told = [f"{key} {value}" for key, value in source.items() if isinstance(value, str)]
    rules = len(channel.rules)
    return (f"its source is {', '.join(told)}", f"it has {rules} rule{'' if rules == 1 else 's'}")


def _rules(channel: str, before: Sequence[Rule], after: Sequence[Rule]) -> Iterator[Difference]:
    old, new = ({rule.name: rule for rule in rules} for rules in (before, after))
    for name in _names(old, new):
        was, now = old.get(name), new.get(name)
        if was is None or now is None:
            change = Change.ADDED if was is None else Change.REMOVED
            place = _place(after if was is None else before, name)
            yield Difference(change, Thing.RULE, name, (f"it {'is' if was is None else 'was'} {place}",), (channel,))
            continue
        details = _changes(write_section(RULE, was), write_section(RULE, now))
        if details:
            yield Difference(Change.CHANGED, Thing.RULE, name, details, (channel,))
    yield from _moved(channel, before, after)


def _moved(channel: str, before: Sequence[Rule], after: Sequence[Rule]) -> Iterator[Difference]:
    """Yield the rules whose order among those that are in both has changed: the fewest that tell it."""
    old = [rule.name for rule in before if rule.name in {one.name for one in after}]
    new = [rule.name for rule in after if rule.name in set(old)]
    while old != new:
        at = next(number for number, (was, now) in enumerate(zip(old, new, strict=True)) if was != now)
        # Of the two that stand there now and before, the one that went farther is the one that was moved.
        was, now = old[at], new[at]
        name = was if new.index(was) - at >= old.index(now) - at else now
        neighbour = _behind_in(after, name)
        yield Difference(Change.MOVED, Thing.RULE, name, (neighbour,), (channel,))
        old.remove(name)
        new.remove(name)


def _behind_in(rules: Sequence[Rule], name: str) -> str:
    names = [rule.name for rule in rules]
    at = names.index(name)
    return "it is the first one now" if at == 0 else f"it stands behind {names[at - 1]!r} now"


def _place(rules: Sequence[Rule], name: str) -> str:
    names = [rule.name for rule in rules]
    return f"number {names.index(name) + 1} of {len(names)}"


def _destinations(before: Configuration, after: Configuration) -> Iterator[Difference]:
    old = {one.name: destination_table(one) for one in before.destinations}
    new = {one.name: destination_table(one) for one in after.destinations}
    users = _users(before, after, "to")
    for name in _names(old, new):
        used_by = users.get(name, ())
        if name not in old:
            yield Difference(Change.ADDED, Thing.DESTINATION, name, (f"kind {new[name]['kind']}",), used_by)
        elif name not in new:
            yield Difference(Change.REMOVED, Thing.DESTINATION, name, (), used_by)
        elif details := _changes(old[name], new[name]):
            yield Difference(Change.CHANGED, Thing.DESTINATION, name, details, used_by)


def _transforms(before: Configuration, after: Configuration) -> Iterator[Difference]:
    old, new = ({one.name: one for one in each.transforms} for each in (before, after))
    users = _users(before, after, "transforms")
    for name in _names(old, new):
        was, now, used_by = old.get(name), new.get(name), users.get(name, ())
        if was is None or now is None:
            yield Difference(Change.ADDED if was is None else Change.REMOVED, Thing.TRANSFORM, name, (), used_by)
            continue
        details = _changes(_without(transform_table(was), "steps"), _without(transform_table(now), "steps"))
        details += _step_changes(was, now)
        if details:
            yield Difference(Change.CHANGED, Thing.TRANSFORM, name, details, used_by)


def _translators(before: Configuration, after: Configuration) -> Iterator[Difference]:
    old, new = ({one.name: translator_table(one) for one in each.translators} for each in (before, after))
    for name in _names(old, new):
        was, now = old.get(name), new.get(name)
        if was is None or now is None:
            told = now or was or {}
            details = (f"it listens as {told['listen']}", f"it asks {told['upstream']}")
            yield Difference(Change.ADDED if was is None else Change.REMOVED, Thing.TRANSLATOR, name, details)
        elif changes := _changes(was, now):
            yield Difference(Change.CHANGED, Thing.TRANSLATOR, name, changes)


def _step_changes(before: Transform, after: Transform) -> tuple[str, ...]:
    pairs = zip_longest(map(step_table, before.steps), map(step_table, after.steps))
    told = []
    for number, (was, now) in enumerate(pairs, start=1):
        if was is None:
            told.append(f"step {number} {write_value(now)} is new")
        elif now is None:
            told.append(f"step {number} {write_value(was)} is gone")
        elif was != now:
            told.append(f"step {number} was {write_value(was)} and is {write_value(now)}")
    return tuple(told)


def _prefetch(before: Configuration, after: Configuration) -> Iterator[Difference]:
    old, new = ({rule.name: prefetch_table(rule) for rule in each.prefetch} for each in (before, after))
    for name in _names(old, new):
        was, now = old.get(name), new.get(name)
        if was is None or now is None:
            details = (f"it searches {write_value((now or was or {})['sources'])}",)
            yield Difference(Change.ADDED if was is None else Change.REMOVED, Thing.PREFETCH, name, details)
        elif changes := _changes(was, now):
            yield Difference(Change.CHANGED, Thing.PREFETCH, name, changes)


def _gateways(before: Configuration, after: Configuration) -> Iterator[Difference]:
    old, new = ({gateway.name: gateway_table(gateway) for gateway in each.gateways} for each in (before, after))
    for name in _names(old, new):
        was, now = old.get(name), new.get(name)
        if was is None or now is None:
            details = (f"it asks {(now or was or {})['upstream']}",)
            yield Difference(Change.ADDED if was is None else Change.REMOVED, Thing.GATEWAY, name, details)
        elif changes := _changes(was, now):
            yield Difference(Change.CHANGED, Thing.GATEWAY, name, changes)


def _users(before: Configuration, after: Configuration, field: str) -> Mapping[str, tuple[str, ...]]:
    """Return the channels that name a thing, before or after."""
    found: dict[str, dict[str, None]] = {}
    for channel in (*before.channels, *after.channels):
        for rule in channel.rules:
            for name in getattr(rule, field):
                found.setdefault(name, {})[channel.name] = None
    return {name: tuple(channels) for name, channels in found.items()}


def _names(old: Mapping[str, object], new: Mapping[str, object]) -> list[str]:
    return list(dict.fromkeys((*old, *new)))


def _without(table: Table, key: str) -> Table:
    return {name: value for name, value in table.items() if name != key}


def _changes(before: Mapping[str, object], after: Mapping[str, object], prefix: str = "") -> tuple[str, ...]:
    """Return which keys are otherwise, tables within looked into."""
    told: list[str] = []
    for key in _names(before, after):
        was, now = before.get(key), after.get(key)
        if was == now:
            continue
        if isinstance(was, dict) and isinstance(now, dict) and was.get("kind") == now.get("kind"):
            told += _changes(was, now, f"{prefix}{key}.")
        else:
            told.append(f"{prefix}{key} {_told(was, 'was')} and {_told(now, 'is')}")
    return tuple(told)


def _told(value: object, verb: str) -> str:
    return f"{verb} left to its default" if value is None else f"{verb} {write_value(value)}"
