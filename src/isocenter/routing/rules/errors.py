"""What can be wrong with the text of a condition: where it stands, and what to write instead."""

from __future__ import annotations

from typing import Self

from isocenter.domain.errors import InvalidRequest


class InvalidExpression(InvalidRequest):
    """The condition cannot be read."""

    def __init__(self, message: str | None = None, *, start: int = 0, end: int = 0) -> None:
        super().__init__(message)
        self.start = start
        """First character at fault, counted from 0."""
        self.end = max(end, start + 1)
        """Behind the last one."""

    def without_frames(self) -> Self:
        """Return the same error without its traceback."""
        return type(self)(self.message, start=self.start, end=self.end)

    def pointed_at(self, text: str) -> str:
        """Return the line of the condition that is at fault, what is at fault underlined, and the message below."""
        line_start = text.rfind("\n", 0, self.start) + 1
        line_end = text.find("\n", self.start)
        line = text[line_start : line_end if line_end >= 0 else len(text)]
        width = max(1, min(self.end - line_start, len(line)) - (self.start - line_start))
        return f"{line}\n{' ' * (self.start - line_start)}{'^' * width}\n{self.message}"
