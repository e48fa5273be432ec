"""Named places where a test may kill the process, raise or wait, to prove what survives there.

The setting reads `name=action[@n]`, several joined by commas: `packs.after_write=kill`,
`index.before_commit=raise:StorageFull@3`, `packs.before_write=raise:ENOSPC`, `spool.mid_write=sleep:50`.
With `@n` the action happens at the n-th hit only, without it at every hit. Unset, a hit costs one call.
"""

from __future__ import annotations

import difflib
import errno
import os
import signal
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from isocenter.domain import errors

FAILPOINTS_VARIABLE = "ISOCENTER_FAILPOINTS"

FAILPOINT_NAMES = (
    "packs.before_write",
    "packs.mid_write",
    "packs.after_write",
    "packs.before_sync",
    "packs.after_sync",
    "packs.after_create",
    "spool.mid_write",
    "spool.before_seal",
    "spool.after_header",
    "spool.after_sync",
    "spool.after_rename",
    "erase.before_punch",
    "erase.after_punch",
    "erase.after_tombstone",
    "erase.after_sync",
    "index.before_begin",
    "index.mid_transaction",
    "index.before_commit",
    "index.after_commit",
    "archive.before_append",
    "archive.before_commit",
    "archive.before_acknowledge",
    "archive.after_acknowledge",
    "update.after_stage",
    "update.before_mark",
    "update.after_mark",
    "update.after_conclude",
)
"""Every failpoint there is, so that a test can walk them."""

SLEEP_MAX_MS = 60_000
"""A failpoint that waits longer than a minute is a mistake in the setting."""


@dataclass(frozen=True, slots=True)
class Failpoint:
    """What happens at a name, and at which hit (0: at every one)."""

    name: str
    action: str
    argument: str
    at_hit: int


class Failpoints:
    """Act at the names that are armed."""

    def __init__(self, failpoints: tuple[Failpoint, ...] = ()) -> None:
        self._armed = {failpoint.name: failpoint for failpoint in failpoints}
        self._hits: Counter[str] = Counter()

    @property
    def armed(self) -> bool:
        """Tell whether any failpoint is set."""
        return bool(self._armed)

    def hit(self, name: str) -> None:
        """Do what is set for a name, if anything is."""
        if not self._armed:
            return
        self._hits[name] += 1
        failpoint = self._armed.get(name)
        if failpoint is not None and failpoint.at_hit in (0, self._hits[name]):
            _act(failpoint)


def parse_failpoints(text: str) -> Failpoints:
    """Return the failpoints that a setting names; raise InvalidRequest where it cannot be read."""
    return Failpoints(tuple(_parse_one(part.strip()) for part in text.split(",") if part.strip()))


def failpoints_from_environment(environment: Mapping[str, str]) -> Failpoints:
    """Return the failpoints that the environment sets, none where it sets none."""
    return parse_failpoints(environment.get(FAILPOINTS_VARIABLE, ""))


def _parse_one(text: str) -> Failpoint:
    name, _, rest = text.partition("=")
    if name not in FAILPOINT_NAMES:
        nearest = difflib.get_close_matches(name, FAILPOINT_NAMES, n=1)
        hint = f"; did you mean '{nearest[0]}'?" if nearest else "."
        raise errors.InvalidRequest(f"There is no failpoint '{name}'{hint}")
    what, _, hit = rest.partition("@")
    action, _, argument = what.partition(":")
    _check_action(action, argument, hit)
    return Failpoint(name, action, argument, int(hit or 0))


def _check_action(action: str, argument: str, hit: str) -> None:
    is_known = {
        "kill": argument == "",
        "raise": _exception(argument) is not None,
        "sleep": argument.isdecimal() and int(argument) <= SLEEP_MAX_MS,
    }.get(action, False)
    if not is_known or (hit and not hit.isdecimal()):
        raise errors.InvalidRequest(
            "A failpoint's action is kill, raise:Error or sleep:milliseconds, then @n if wanted."
        )


def _exception(name: str) -> Exception | None:
    number = getattr(errno, name, None) if name.isupper() else None
    if isinstance(number, int):
        return OSError(number, os.strerror(number))
    kind = getattr(errors, name, None)
    return kind() if isinstance(kind, type) and issubclass(kind, errors.IsocenterError) else None


def _act(failpoint: Failpoint) -> None:
    if failpoint.action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif failpoint.action == "sleep":
        time.sleep(int(failpoint.argument) / 1000)
    else:
        raise _exception(failpoint.argument) or errors.Broken()
