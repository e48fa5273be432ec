"""Hold a configuration against past traffic: what of the last days would have gone elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from isocenter.app.channels.explaining import decide_again
from isocenter.archive.archive import Archive
from isocenter.domain.delivery import NOWHERE
from isocenter.domain.errors import CorruptInstance, InvalidDataset, Unavailable
from isocenter.ports.ledger import PAGE_MAX, LedgerRow, Selection
from isocenter.routing.configuration.channel import Channel, Configuration

DELIVERIES_MAX = 200_000
"""Deliveries that are looked at, the latest first: some minutes of reading headers."""
EXAMPLES_MAX = 5
"""Instances that are named for each change."""
GoOn = Callable[[], None]
"""Raises where the work is to be given up."""


@dataclass(slots=True)
class _Past:
    """Where one instance went, by one channel."""

    instance_key: int
    sop_instance_uid: str
    calling_ae_title: str
    ways: set[str] = field(default_factory=set)


def replay(
    archive: Archive,
    configuration: Configuration,
    *,
    since: float,
    is_given_up: Callable[[], bool] = lambda: False,
) -> Mapping[str, object]:
    """Return how many instances each channel would have sent elsewhere, and which for example.

    Raises Unavailable once it is given up, which is looked at for each row.
    """

    def go_on() -> None:
        if is_given_up():
            raise Unavailable("The look at past traffic was given up, since the node is about to stop.")

    channels = [
        _replay_channel(archive, configuration.channel(name), name, _pasts(archive, name, since, go_on), go_on)
        for name in _channels(archive)
    ]
    return {"channels": [one for one in channels if one["instances"]]}


def _channels(archive: Archive) -> list[str]:
    return sorted({tally.channel for tally in archive.index.ledger.tallies() if tally.channel})


def _replay_channel(
    archive: Archive, channel: Channel | None, name: str, pasts: list[_Past], go_on: GoOn
) -> dict[str, object]:
    changes: Counter[str] = Counter()
    examples: dict[str, list[str]] = {}
    same = gone = 0
    for past in pasts:
        go_on()
        now = _ways_now(archive, channel, past)
        if now is None:
            gone += 1
        elif now == past.ways:
            same += 1
        else:
            words = _in_words(past.ways, now)
            changes[words] += 1
            examples.setdefault(words, [])
            if len(examples[words]) < EXAMPLES_MAX:
                examples[words].append(past.sop_instance_uid)
    return {
        "channel": name,
        "is_there": channel is not None,
        "instances": len(pasts),
        "same": same,
        "gone": gone,
        "changes": [
            {"change": words, "instances": number, "examples": examples[words]}
            for words, number in changes.most_common()
        ],
    }


def _pasts(archive: Archive, channel: str, since: float, go_on: GoOn) -> list[_Past]:
    found: dict[int, _Past] = {}
    for row in _rows(archive, channel):
        go_on()
        if row.delivery.received_at < since:
            continue
        past = found.setdefault(
            row.instance_key, _Past(row.instance_key, row.identifier.sop_instance_uid, row.plan.calling_ae_title)
        )
        if row.plan.destination != NOWHERE:
            past.ways.add(_way(row.plan.destination, row.plan.transforms))
    return list(found.values())


def _rows(archive: Archive, channel: str) -> Iterator[LedgerRow]:
    after, seen = None, 0
    while page := archive.index.ledger.page(Selection(channel=channel), after=after, limit=PAGE_MAX):
        yield from page
        after, seen = page[-1].delivery_key, seen + len(page)
        if len(page) < PAGE_MAX or seen >= DELIVERIES_MAX:
            return


def _ways_now(archive: Archive, channel: Channel | None, past: _Past) -> set[str] | None:
    """Return where an instance would go now; None where it is not there or cannot be read any more."""
    stored = archive.index.instance(past.instance_key)
    if stored is None:
        return None
    if channel is None:
        return set()
    try:
        decision = decide_again(archive, stored, channel, past.calling_ae_title)
    except (InvalidDataset, CorruptInstance):
        return None
    return {_way(one.destination, one.transforms) for one in decision.deliveries}


def _way(destination: str, transforms: tuple[str, ...]) -> str:
    return " ".join([destination, *(f"({name})" for name in transforms)])


def _in_words(before: set[str], after: set[str]) -> str:
    added, removed = sorted(after - before), sorted(before - after)
    parts = [f"also to {', '.join(added)}"] if added else []
    parts += [f"no more to {', '.join(removed)}"] if removed else []
    return "; ".join(parts)
