"""Draw what was seen as text: trouble as bars, counters as curves, on one axis of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from isocenter.modality.faults.record import Happening, Record
from isocenter.modality.faults.scenario import Scenario

WIDTH = 64
_LEVELS = " ▁▂▃▄▅▆▇█"
_TROUBLE, _QUIET = "█", "·"


def iter_drawing(scenario: Scenario, record: Record) -> Iterator[str]:
    """Yield the lines of a drawing."""
    curves = ["acknowledged"] if scenario.load is not None else []
    curves += [counter.name for counter in scenario.counters]
    things = list(dict.fromkeys(happening.thing for happening in record.happenings))
    label = max(map(len, [*things, *curves, "time"]), default=4)
    length_s = max(record.ended_at_s, 0.001)
    end = f"{length_s:.0f} s"
    yield f"{'time':{label}}  0 s{end:>{WIDTH - 3}}"
    for thing in things:
        own = [one for one in record.happenings if one.thing == thing]
        texts = dict.fromkeys(one.text for one in own if one.is_trouble)
        yield f"{thing:{label}}  {_bar(own, length_s)}  {', '.join(texts)}"
    for name in curves:
        values = _columns(record, name, length_s)
        highest = max((value for value in values if value is not None), default=0.0)
        yield f"{name:{label}}  {_curve(values, highest)}  {highest:g} at most"


def _bar(happenings: Sequence[Happening], length_s: float) -> str:
    columns = [_QUIET] * WIDTH
    begun: float | None = None
    spans: list[tuple[float, float]] = []
    for one in happenings:
        if one.is_trouble and one.ends_s is not None:
            spans.append((one.at_s, one.ends_s))
        elif one.is_trouble:
            begun = one.at_s if begun is None else begun
        elif begun is not None:
            spans.append((begun, one.at_s))
            begun = None
    if begun is not None:
        spans.append((begun, length_s))
    for start, end in spans:
        first, last = _column(start, length_s), _column(end, length_s)
        columns[first : last + 1] = _TROUBLE * (last + 1 - first)
    return "".join(columns)


def _column(at_s: float, length_s: float) -> int:
    return min(WIDTH - 1, max(0, int(at_s / length_s * WIDTH)))


def _columns(record: Record, name: str, length_s: float) -> list[float | None]:
    """Return the highest value of each column, None where there is none."""
    columns: list[float | None] = [None] * WIDTH
    for sample in record.samples:
        value = sample.acknowledged if name == "acknowledged" else sample.counters.get(name)
        if value is not None:
            at = _column(sample.at_s, length_s)
            columns[at] = max(value, columns[at] or 0.0)
    return columns


def _curve(values: Sequence[float | None], highest: float) -> str:
    drawn, last = "", " "
    for value in values:
        if value is not None:
            share = value / highest if highest else 0.0
            last = _LEVELS[max(1, round(share * (len(_LEVELS) - 1)))]
        drawn += last
    return drawn
