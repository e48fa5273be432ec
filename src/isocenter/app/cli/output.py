"""What commands print: tables, JSON, and progress that is a bar on a terminal and plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import click

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import ProgressColumn, TaskID

PLAIN_INTERVAL_S = 5.0
"""Where no terminal shows a bar, a line this often says that work goes on without filling a log."""

CELL_WIDTH_MAX = 60
"""A longer value of a table is cut; JSON has it whole."""


class Progress(Protocol):
    """Show how far some work has come."""

    def update(self, done: int, *, total: int | None = None, note: str = "") -> None:
        """Show that so many units are done."""
        ...


def print_json(value: object) -> None:
    """Print a value as JSON."""
    import json

    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under headings: in columns on a terminal, separated by tabs elsewhere."""
    lines = [[printable(cell) for cell in row] for row in (headings, *rows)]
    if not sys.stdout.isatty():
        for line in lines:
            click.echo("\t".join(line))
        return
    for text in _aligned(lines):
        click.echo(text)


def print_named_rows(headings: Sequence[str], rows: Sequence[Sequence[str]], names: Sequence[str]) -> None:
    """Print rows on a terminal, each with its name on a line of its own: whole, to be copied."""
    lines = [[printable(cell) for cell in row] for row in (headings, *rows)]
    for text, name in zip(_aligned(lines), ("", *names), strict=True):
        click.echo(text)
        if name:
            click.secho(f"  {printable(name)}", dim=True)


def _aligned(lines: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield lines in columns, the first as the heading; characters of Asian scripts are two columns wide."""
    from rich.cells import cell_len, set_cell_size

    widths = [min(CELL_WIDTH_MAX, max(map(cell_len, column))) for column in zip(*lines, strict=True)]
    for number, line in enumerate(lines):
        text = "  ".join(set_cell_size(cell, width) for cell, width in zip(line, widths, strict=True)).rstrip()
        yield click.style(text, bold=True) if number == 0 else text


def printable(text: str) -> str:
    """Return text that cannot drive a terminal: what is not printable stands as its escape."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def format_size(size_bytes: float) -> str:
    """Return a size for people."""
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1000:
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} TB"


def count_of(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


@contextmanager
def show_progress(label: str, *, total: int) -> Iterator[Progress]:
    """Show progress in bytes on standard error for the length of a block."""
    if not sys.stderr.isatty():
        yield _Lines(label, total, format_size)
        return
    from rich.progress import DownloadColumn, TransferSpeedColumn

    with _bar(DownloadColumn(), TransferSpeedColumn()) as bar:
        yield _OnBar(bar, bar.add_task(label, total=total, note=""))


@contextmanager
def show_count(label: str, *, total: int | None) -> Iterator[Progress]:
    """Show progress in things on standard error for the length of a block; the total may come later."""
    if not sys.stderr.isatty():
        yield _Lines(label, total or 0, lambda number: f"{number:,.0f}")
        return
    from rich.progress import MofNCompleteColumn

    with _bar(MofNCompleteColumn()) as bar:
        yield _OnBar(bar, bar.add_task(label, total=total, note=""))


def _bar(*columns: ProgressColumn) -> Bar:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    return Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        *columns,
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
    )


class _OnBar:
    def __init__(self, bar: Bar, task: TaskID) -> None:
        self._bar = bar
        self._task = task

    def update(self, done: int, *, total: int | None = None, note: str = "") -> None:
        self._bar.update(self._task, completed=done, total=total, note=note)


class _Lines:
    """Plain lines, seldom."""

    def __init__(self, label: str, total: int, render: Callable[[float], str]) -> None:
        self._label = label
        self._total = total
        self._render = render
        self._started = self._shown = time.monotonic()

    def update(self, done: int, *, total: int | None = None, note: str = "") -> None:
        self._total = total or self._total
        now = time.monotonic()
        if now - self._shown < PLAIN_INTERVAL_S:
            return
        self._shown = now
        rate = done / (now - self._started)
        left_s = (self._total - done) / rate if rate else 0
        share = 100 * done / self._total if self._total else 100
        click.echo(
            f"{self._label}: {share:.0f} %, {self._render(done)} of {self._render(self._total)}, "
            f"{self._render(rate)}/s, {left_s:.0f} s left{', ' + note if note else ''}",
            err=True,
        )
