"""Hold the rules of a configuration against files: where each would go, and why. Nothing is sent or kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from mmap import ACCESS_READ, mmap
from pathlib import Path

from isocenter.app.part10_files import FoundFile, is_instance_file, iter_files
from isocenter.dicom.part10 import read_encoding
from isocenter.domain.errors import InvalidDataset, InvalidRequest
from isocenter.routing.configuration.channel import Channel, Configuration, DimseSource
from isocenter.routing.configuration.problem import InvalidConfiguration
from isocenter.routing.configuration.read import TEXT_LENGTH_MAX, ReadConfiguration, read_configuration
from isocenter.routing.rules.decide import Decision, RuleRecord, decide_and_explain, wanted_tags
from isocenter.routing.rules.explain import describe_finding
from isocenter.routing.rules.subject import Subject, read_attributes
from isocenter.routing.transforms.apply import Circumstances, transform_instance
from isocenter.routing.transforms.difference import ElementDifference

SYSTEM_NAME = "ISOCENTER"
"""What a trial writes as Modifying System; a node writes its own title."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """How files are taken to have come."""

    received_at: datetime
    calling_ae_title: str | None = None
    called_ae_title: str | None = None
    """None: the title of the channel, where it has one."""
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """What the transforms of one delivery make of a file."""

    differences: tuple[ElementDifference, ...] = ()
    problem: str = ""
    """Why they cannot be made; the instance would go to the shelf for people."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What the rules of one channel came to for one file."""

    path: str
    channel: str
    decision: Decision | None
    problem: str = ""
    """Why there is no decision."""
    changes: Mapping[str, Changes] = field(default_factory=dict)
    """By destination, what its transforms make of the file, where that was asked for."""


@dataclass(slots=True)
class Left:
    """Counts what was not looked at."""

    other_files: int = 0


def load_configuration(path: Path) -> ReadConfiguration:
    """Return what a file of channels says. Raises InvalidConfiguration."""
    try:
        with path.open("rb") as file:
            content = file.read(TEXT_LENGTH_MAX + 1)
        text = content.decode()
    except OSError as error:
        raise InvalidConfiguration(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InvalidConfiguration(f"{path} is not text in UTF-8.") from error
    return read_configuration(text, file=str(path))


def choose_channels(configuration: Configuration, name: str | None) -> tuple[Channel, ...]:
    """Return the channel of a name, all of them for None. Raises InvalidRequest where there is none."""
    if name is None and configuration.channels:
        return configuration.channels
    chosen = None if name is None else configuration.channel(name)
    if chosen is None:
        known = ", ".join(channel.name for channel in configuration.channels) or "none"
        raise InvalidRequest(f"There is no channel {name}; there are: {known}." if name else "There is no channel.")
    return (chosen,)


def try_rules(
    configuration: Configuration,
    channels: Sequence[Channel],
    paths: Sequence[Path],
    arrival: Arrival,
    left: Left,
    *,
    makes_changes: bool = False,
) -> Iterator[Tried]:
    """Yield what each channel does with each DICOM file; folders stand for everything below them.

    With `makes_changes` the transforms of each delivery are made on the file in memory.
    """
    for file in iter_files(paths):
        try:
            is_instance = file.size_bytes > 0 and is_instance_file(file.path)
        except OSError as error:
            yield Tried(file.path, "", None, f"it cannot be read: {error.strerror}")
            continue
        if not is_instance:
            left.other_files += 1
            continue
        for channel in channels:
            yield _try_channel(configuration if makes_changes else None, channel, file, arrival)


def _try_channel(configuration: Configuration | None, channel: Channel, file: FoundFile, arrival: Arrival) -> Tried:
    try:
        content = _mapped(file)
        subject = _subject(channel, file, content, arrival)
    except InvalidDataset as error:
        return Tried(file.path, channel.name, None, error.message)
    except OSError as error:
        return Tried(file.path, channel.name, None, f"it cannot be read: {error.strerror}")
    decision = decide_and_explain(channel.rules, subject)
    changes = {} if configuration is None else _changes(configuration, decision, content, subject)
    return Tried(file.path, channel.name, decision, changes=changes)


def _changes(
    configuration: Configuration, decision: Decision, content: memoryview, subject: Subject
) -> Mapping[str, Changes]:
    circumstances = Circumstances(subject.received_at, SYSTEM_NAME)
    found: dict[str, Changes] = {}
    for delivery in decision.deliveries:
        named = [configuration.transform(name) for name in delivery.transforms]
        transforms = [transform for transform in named if transform is not None]
        try:
            made = transform_instance(content, transforms, subject, circumstances)
        except InvalidDataset as error:
            found[delivery.destination] = Changes(problem=error.message)
        else:
            found[delivery.destination] = Changes(made.differences)
    return found


def _mapped(file: FoundFile) -> memoryview:
    with open(file.path, "rb") as opened:
        return memoryview(mmap(opened.fileno(), 0, access=ACCESS_READ))


def _subject(channel: Channel, file: FoundFile, content: memoryview, arrival: Arrival) -> Subject:
    source = channel.source
    own_title = source.listen.ae_title if isinstance(source, DimseSource) else None
    return Subject(
        attributes=read_attributes(content, wanted_tags(channel.rules)),
        received_at=arrival.received_at,
        size_bytes=file.size_bytes,
        transfer_syntax_uid=read_encoding(content)[0].transfer_syntax_uid,
        calling_ae_title=arrival.calling_ae_title,
        called_ae_title=arrival.called_ae_title or own_title,
        address=arrival.address,
    )


def tried_json(tried: Tried, *, with_values: bool) -> dict[str, object]:
    """Return the same for programs."""
    if tried.decision is None:
        return {"file": tried.path, "channel": tried.channel, "problem": tried.problem}
    return {
        "file": tried.path,
        "channel": tried.channel,
        "matched": list(tried.decision.matched),
        "deliveries": [
            {
                "destination": delivery.destination,
                "rule": delivery.rule_name,
                "transforms": list(delivery.transforms),
                "priority": delivery.priority.value,
                **_changes_json(tried.changes.get(delivery.destination)),
            }
            for delivery in tried.decision.deliveries
        ],
        "rules": [
            {"name": record.rule.name, "outcome": record.outcome.value, "why": why(record, with_values=with_values)}
            for record in tried.decision.records
        ],
    }


def _changes_json(changes: Changes | None) -> dict[str, object]:
    if changes is None:
        return {}
    if changes.problem:
        return {"problem": changes.problem}
    return {"changes": [{"name": one.name, "before": one.before, "after": one.after} for one in changes.differences]}


def why(record: RuleRecord, *, with_values: bool) -> list[str]:
    """Return the lines that explain what became of a rule; none where it had no condition or was not asked."""
    return [] if record.finding is None else describe_finding(record.finding, with_values=with_values)
