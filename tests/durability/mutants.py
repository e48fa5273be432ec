"""Nodes with one safeguard taken out: a harness that does not catch them would prove nothing (reliability 1.3)."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

import apsw

from isocenter.archive import intake
from isocenter.storage import folders
from isocenter.storage.packs import folder as packs_folder
from isocenter.storage.sqlite import connections, writer


def forget_to_sync_packs() -> None:
    """Acknowledge bytes of packs that are only in the kernel's memory; SQLite has its own calls and goes on syncing."""

    def no_sync(fd: int) -> None:
        """Do nothing."""

    vars(os).update(fdatasync=no_sync, fsync=no_sync)


def forget_to_sync_folders() -> None:
    """Leave the names of new packs in the kernel's memory."""

    def no_sync(folder: object) -> None:
        """Do nothing."""

    vars(folders).update(sync_folder=no_sync)
    vars(packs_folder).update(sync_folder=no_sync)


def commit_without_sync() -> None:
    """Open the index with synchronous=NORMAL, which keeps it consistent and loses the latest commits."""
    open_writer = connections.open_writer

    def open_relaxed(*arguments: Any, **named: Any) -> apsw.Connection:
        connection = open_writer(*arguments, **named)
        connection.execute("PRAGMA synchronous = NORMAL").fetchall()
        return connection

    vars(writer).update(open_writer=open_relaxed)


def acknowledge_before_commit() -> None:
    """Answer every instance before anything of it is written."""
    decide = intake.Intake._decide

    def answer_first(self: intake.Intake, batch: list[Any]) -> list[Any]:
        fresh: list[Any] = decide(self, batch)
        for entry in fresh:
            waiting = entry.waiting
            waiting.future.set_result(intake._outcome(waiting.arrival, entry.disposition, 0))
            entry.waiting = intake._Waiting(waiting.arrival, Future())
        return fresh

    intake.Intake._decide = answer_first  # type: ignore[method-assign]


MUTANTS: Mapping[str, Callable[[], None]] = {
    "packs not synced": forget_to_sync_packs,
    "folders not synced": forget_to_sync_folders,
    "index not synced": commit_without_sync,
    "acknowledged before commit": acknowledge_before_commit,
}
