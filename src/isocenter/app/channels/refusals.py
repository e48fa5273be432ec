"""What channels refused lately, and why: no ledger row tells of an instance that was never taken in.

The file is for people who ask where an image went; it is not synced, and of a crash it may miss the last lines.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import orjson
import structlog

from isocenter.domain.errors import IsocenterError
from isocenter.storage.folders import make_folder
from isocenter.web.api.router_desk import Refusal

_log = structlog.get_logger()

REFUSALS_FILE = "refusals.jsonl"
KEPT_MAX = 1000
"""Over all channels; what a night of a misconfigured device leaves is still looked through by a person."""
FILE_SIZE_MAX_BYTES = 1024**2
"""Four times what is kept; then the file is written anew with that."""


class Refusals:
    """The last refusals of all channels."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / REFUSALS_FILE
        self._lock = threading.Lock()
        self._kept = deque(_read(self._path), maxlen=KEPT_MAX)
        self._counts: Counter[str] = Counter()
        self._size_bytes = self._path.stat().st_size if self._path.exists() else 0

    def note(self, refusal: Refusal) -> None:
        """Keep a refusal."""
        _log.warning(
            "router.refused",
            channel=refusal.channel,
            sender=refusal.sender,
            sop_instance_uid=refusal.sop_instance_uid,
            status=refusal.status,
            reason=refusal.reason,
        )
        with self._lock:
            self._kept.append(refusal)
            self._counts[refusal.channel] += 1
            self._write(refusal)

    def of_channel(self, name: str) -> list[Refusal]:
        """Return what a channel refused, the latest first."""
        with self._lock:
            return [one for one in reversed(self._kept) if one.channel == name]

    @property
    def counts(self) -> Mapping[str, int]:
        """Return how many each channel refused since the start of the process."""
        with self._lock:
            return dict(self._counts)

    def _write(self, refusal: Refusal) -> None:
        line = orjson.dumps(asdict(refusal), option=orjson.OPT_APPEND_NEWLINE)
        is_full = self._size_bytes + len(line) > FILE_SIZE_MAX_BYTES
        content = b"".join(map(_line, self._kept)) if is_full else line
        try:
            make_folder(self._path.parent)
            with self._path.open("wb" if is_full else "ab") as file:
                file.write(content)
        except (OSError, IsocenterError) as error:  # a full disk: the log has it
            _log.error("router.refusal_not_kept", reason=type(error).__name__)
            return
        self._size_bytes = len(content) if is_full else self._size_bytes + len(line)


def _line(refusal: Refusal) -> bytes:
    return orjson.dumps(asdict(refusal), option=orjson.OPT_APPEND_NEWLINE)


def _read(path: Path) -> list[Refusal]:
    """Return what a file tells; lines that a crash cut off are passed over."""
    try:
        lines = path.read_bytes().splitlines()[-KEPT_MAX:]
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            found.append(Refusal(**orjson.loads(line)))
        except (orjson.JSONDecodeError, TypeError):
            continue
    return found
