"""Rows of the benchmark's table: what was measured for each server, beside the target."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

OURS = "isocenter"
PEER = "Orthanc"
LIMIT = "durable log"


@dataclass(slots=True)
class Figure:
    """One measurement of several servers: values of every run, by server."""

    name: str
    unit: str
    target: str
    at_least: float | None = None
    at_most: float | None = None
    peer_factor: float | None = None
    """How many times the peer's figure ours must be; below 1 where smaller is better."""
    limit_share: float | None = None
    values: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, server: str, value: float) -> None:
        """Record the figure of one run."""
        self.values[server].append(value)

    def median(self, server: str) -> float | None:
        """Return the median over the runs."""
        found = self.values.get(server)
        return statistics.median(found) if found else None

    def is_reached(self) -> bool | None:
        """Tell whether every part of the target is met; None where nothing was measured."""
        ours, peer, limit = self.median(OURS), self.median(PEER), self.median(LIMIT)
        if ours is None:
            return None
        checks = [
            self.at_least is None or ours >= self.at_least,
            self.at_most is None or ours <= self.at_most,
            self.peer_factor is None or peer is None or self._beats(ours, peer * self.peer_factor),
            self.limit_share is None or limit is None or ours >= limit * self.limit_share,
        ]
        return all(checks)

    def _beats(self, ours: float, bound: float) -> bool:
        return ours <= bound if self.at_most is not None else ours >= bound


def _text(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}" if value >= 10 else f"{value:,.2f}"


def print_table(figures: list[Figure]) -> None:
    """Print the table as people read it."""
    table = Table(title="isocenter beside Orthanc on this machine, durable acknowledgement on; medians")
    for heading in ("what", "unit", OURS, PEER, LIMIT, "target", ""):
        table.add_column(heading, justify="left" if heading in ("what", "unit", "target", "") else "right")
    for figure in figures:
        reached = figure.is_reached()
        mark = {True: "reached", False: "MISSED", None: "not run"}[reached]
        table.add_row(
            figure.name,
            figure.unit,
            *(_text(figure.median(server)) for server in (OURS, PEER, LIMIT)),
            figure.target,
            mark,
        )
    Console(width=150).print(table)


def write_json(figures: list[Figure], path: Path) -> None:
    """Write every value of every run."""
    rows = [
        {"what": figure.name, "unit": figure.unit, "target": figure.target, "values": dict(figure.values)}
        for figure in figures
    ]
    path.write_text(json.dumps(rows, indent=1))
