"""How a performer, or what it asks for its answer, ends a request early."""

from __future__ import annotations


class FinalStatus(Exception):
    """The request ends with this status; what is behind a service knows it better than the table of errors does."""

    def __init__(self, status: int, comment: str = "", tags: tuple[int, ...] = ()) -> None:
        super().__init__(f"{status:04X} {comment}".strip())
        self.status = status
        self.comment = comment
        self.tags = tags
        """The attributes at fault (Offending Element, PS3.7 annex C)."""
