"""What is wrong with a configuration: all of it at once, each with file, line and key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from isocenter.domain.errors import InvalidSetting
from isocenter.routing.configuration.lines import KeyPath, Lines

PROBLEMS_MAX = 100
"""More than a person mends before reading the file again."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, or only looks wrong."""

    file: str
    line: int
    """From 1."""
    key: str
    """Dotted, as `channels.router.rules[2].when`; items are counted from 1."""
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.key}: {self.message}"


class InvalidConfiguration(InvalidSetting):
    """The configuration of channels cannot be used."""

    def __init__(self, message: str | None = None, *, problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems

    def without_frames(self) -> Self:
        """Return the same error without its traceback."""
        return type(self)(self.message, problems=self.problems)


@dataclass(slots=True)
class Report:
    """Gathers problems while a file is read."""

    file: str
    lines: Lines
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def refuse(self, path: KeyPath, message: str) -> None:
        """Note what makes the configuration useless."""
        self.problems.append(self._problem(path, message))

    def warn(self, path: KeyPath, message: str) -> None:
        """Note what is allowed and hardly meant."""
        self.warnings.append(self._problem(path, message))

    def raise_if_refused(self) -> None:
        """Raise InvalidConfiguration where there is a problem."""
        if self.problems:
            raise InvalidConfiguration(in_words(self.problems), problems=tuple(self.problems[:PROBLEMS_MAX]))

    def _problem(self, path: KeyPath, message: str) -> Problem:
        return Problem(self.file, self.lines.line_of(path), dotted(path), message)


def dotted(path: KeyPath) -> str:
    """Return a path as people write it."""
    text = ""
    for part in path:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def in_words(problems: Sequence[Problem]) -> str:
    """Return problems as text, a line for each."""
    shown = sorted(problems, key=lambda problem: problem.line)[:PROBLEMS_MAX]
    more = [f"… and {len(problems) - len(shown)} more"] if len(problems) > len(shown) else []
    return "\n".join([*map(str, shown), *more])
