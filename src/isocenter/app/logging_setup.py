"""How a node logs: events with keys, one line each, to standard error.

Control characters are escaped, by JSON itself or by us, so that nothing that came from outside can
forge a line or drive a terminal. Tracebacks never show local variables: those may hold values of patients.
"""

from __future__ import annotations

import logging
import sys
import traceback
from typing import Literal, TextIO

import structlog
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

VALUE_LENGTH_MAX = 2000
"""A longer value of a log event says nothing more to its reader; a traceback is not cut."""
_UNTOUCHED = frozenset({"exception", "exc_info", "timestamp", "level", "stack"})


def set_up_logging(level: Literal["debug", "info", "warning", "error"], form: Literal["console", "json"]) -> None:
    """Send our events and those of the libraries to standard error, in one form, from a level on."""
    threshold = getattr(logging, level.upper())
    structlog.configure(
        processors=_processors(form),
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_ForwardHandler()]
    root.setLevel(max(threshold, logging.WARNING))


def escape_control_characters(text: str) -> str:
    """Return text in which every character that is not printable stands as its escape, and no more than the limit."""
    if len(text) > VALUE_LENGTH_MAX:
        text = text[:VALUE_LENGTH_MAX] + "…"
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def _processors(form: str) -> list[Processor]:
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if form == "json":
        return [*shared, structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
    renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=_write_traceback)
    return [*shared, _escape_values, renderer]


def _write_traceback(out: TextIO, info: ExcInfo) -> None:
    """Write a traceback line by line, escaped: an error's own words may come from outside."""
    for line in "".join(traceback.format_exception(*info)).splitlines():
        out.write("\n  " + escape_control_characters(line))


def _escape_values(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for key, value in event.items():
        if isinstance(value, str) and key not in _UNTOUCHED:
            event[key] = escape_control_characters(value)
        elif not isinstance(value, bool | int | float | None) and key not in _UNTOUCHED:
            event[key] = escape_control_characters(str(value))
    return event


class _ForwardHandler(logging.Handler):
    """Hands records of libraries to structlog, so that there is one form of line."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log a library's record as an event of ours."""
        log = structlog.get_logger()
        log.log(
            record.levelno, "library.log", logger=record.name, message=record.getMessage(), exc_info=record.exc_info
        )
