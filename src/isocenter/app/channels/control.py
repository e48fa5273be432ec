"""Whether each channel is to run: what a person said last, kept in the data folder, else what is configured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

import orjson
import structlog

from isocenter.app.channels.durable_file import replace_file

_log = structlog.get_logger()

CONTROL_FILE = "control.json"


class Running(StrEnum):
    """How a channel is meant to be."""

    STARTED = "started"
    PAUSED = "paused"
    """Its source is there and refuses for the time being, so that senders try again."""
    STOPPED = "stopped"
    """Its source is gone: a port is closed, a folder not watched."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a person said of a channel."""

    running: Running
    by: str
    at: float
    """Seconds since the epoch."""
    reason: str = ""


class Control:
    """Orders by the channel's name; durable when a call returns."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / CONTROL_FILE
        self._orders = dict(_read(self._path))

    def order(self, name: str) -> Order | None:
        """Return what was said of a channel last, None where nothing was."""
        return self._orders.get(name)

    def running(self, name: str, *, is_started: bool) -> Running:
        """Return how a channel is to be; `is_started` is what its configuration says."""
        order = self._orders.get(name)
        if order is not None:
            return order.running
        return Running.STARTED if is_started else Running.STOPPED

    def give(self, name: str, order: Order) -> None:
        """Keep an order; raises StorageFailed with the former one in force."""
        self._write({**self._orders, name: order})

    def forget_others(self, names: Iterable[str]) -> None:
        """Drop the orders of channels that are gone, so that one that is added under that name begins anew."""
        kept = {name: self._orders[name] for name in names if name in self._orders}
        if len(kept) < len(self._orders):
            self._write(kept)

    def _write(self, orders: Mapping[str, Order]) -> None:
        document = {name: asdict(order) for name, order in sorted(orders.items())}
        replace_file(self._path, orjson.dumps(document, option=orjson.OPT_INDENT_2))
        self._orders = dict(orders)


def _read(path: Path) -> Mapping[str, Order]:
    """Return the orders of a file; where it cannot be read the configuration holds, and the log says so."""
    try:
        document = orjson.loads(path.read_bytes())
        return {
            name: Order(Running(one["running"]), str(one["by"]), float(one["at"]), str(one["reason"]))
            for name, one in document.items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        _log.error("router.control_unreadable", reason=type(error).__name__)
        return {}
