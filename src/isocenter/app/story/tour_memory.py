"""What a tour remembers in the folder of its hospital: what came of each step, and the books."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import structlog

from isocenter.app.hospital.reach import Reach
from isocenter.app.story.books import Books
from isocenter.app.story.plan import STEPS
from isocenter.app.story.report import VERSION, parse_result, result_json
from isocenter.app.story.step import StepResult

_log = structlog.get_logger()

SIZE_MAX_BYTES = 16 * 1024**2
"""Nine results have some hundred kilobytes."""


@dataclass(frozen=True, slots=True)
class Memory:
    """All of it."""

    results: dict[int, StepResult] = field(default_factory=dict)
    played: frozenset[int] = frozenset()
    sent_under_trouble: dict[str, int] = field(default_factory=dict)
    play: int = 0
    """Which play of the outages is next."""

    def with_result(self, result: StepResult) -> Memory:
        """Return the same with what came of a step."""
        return replace(self, results={**self.results, result.number: result})

    def with_books(self, books: Books, *, play: int) -> Memory:
        """Return the same with books as they are now."""
        return replace(
            self, played=frozenset(books.played), sent_under_trouble=dict(books.sent_under_trouble), play=play
        )


def memory_file(reach: Reach) -> Path:
    """Return where a tour keeps it: for each program that is the PACS another one, for their images are not shared."""
    return reach.folder / f"tour-{reach.pacs.kind.value}.json"


def read_memory(path: Path) -> Memory:
    """Return what was kept; nothing where there is nothing that can be read."""
    try:
        with path.open(encoding="utf-8") as file:
            document = json.loads(file.read(SIZE_MAX_BYTES))
        if document["version"] != VERSION:
            return Memory()
        results = [parse_result(one) for one in document["results"]]
        known = {plan.number for plan in STEPS}
        return Memory(
            {one.number: one for one in results if one.number in known},
            frozenset(int(number) for number in document["played"]) & known,
            {str(uid): int(patient) for uid, patient in document["sent_under_trouble"].items()},
            int(document["play"]),
        )
    except FileNotFoundError:
        return Memory()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        _log.warning("story.memory_unreadable", reason=type(error).__name__)
        return Memory()


def write_memory(path: Path, memory: Memory) -> None:
    """Keep it; a folder that takes nothing costs the memory and not the tour."""
    document = {
        "version": VERSION,
        "results": [result_json(memory.results[number]) for number in sorted(memory.results)],
        "played": sorted(memory.played),
        "sent_under_trouble": memory.sent_under_trouble,
        "play": memory.play,
    }
    partial = path.with_suffix(".partial")
    try:
        partial.write_text(json.dumps(document), encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        _log.warning("story.memory_not_kept", reason=error.strerror)
