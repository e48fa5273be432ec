"""The part `ledger` of the benchmark: what the ledger answers and how fast it moves beside millions that are done."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench.figures import OURS, Figure
from bench.ledger_rows import DESTINATIONS, EPOCH, STUDY_LENGTH, make_ledger
from isocenter.domain.delivery import Delivery, DeliveryPlan, DeliveryState, Priority, ended
from isocenter.domain.identifiers import InstanceIdentifier
from isocenter.ports.blobs import BlobAddress
from isocenter.ports.index import NewInstance
from isocenter.ports.ledger import Attempt, Ledger, Selection, Settled
from isocenter.storage.sqlite import SqliteInstanceIndex

DONE, DONE_QUICKLY = 10_000_000, 1_000_000
WAITING = 100_000
LEASE = 64
ASKED = 50
BATCH, BATCHES = 128, 40
"""Instances of a commit, and commits."""
NOW = EPOCH + 1e8
PACS, CLOUD = DESTINATIONS


def measure_ledger(folder: Path, *, quick: bool) -> list[Figure]:
    """Return what a ledger of ten million deliveries, or a million, answers in and moves at."""
    place = folder.resolve() / "ledger"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    done = DONE_QUICKLY if quick else DONE
    try:
        print(f"writing {done + WAITING:,} deliveries", flush=True)
        make_ledger(place / "index.sqlite", done=done, waiting=WAITING)
        with SqliteInstanceIndex(place / "index.sqlite") as index:
            return [
                *_questions(index.ledger, f"{done // 1_000_000} million"),
                *_backlog(index.ledger),
                *_receipt(index),
            ]
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _questions(ledger: Ledger, beside: str) -> list[Figure]:
    study = f"1.2.826.0.1.3680043.10.1455.{7}"
    queued = frozenset({DeliveryState.QUEUED})
    shelf = frozenset({DeliveryState.NEEDS_HUMAN})
    asked: list[tuple[str, float, Callable[[], object]]] = [
        ("all counters", 10, ledger.tallies),
        ("backlog of a destination", 5, lambda: ledger.backlog(CLOUD, now=NOW)),
        ("newest 100 of a destination", 10, lambda: ledger.page(Selection(destination=PACS))),
        ("newest 100 that wait", 10, lambda: ledger.page(Selection(states=queued))),
        ("the shelf for people", 10, lambda: ledger.page(Selection(states=shelf))),
        ("newest 100 studies", 10, lambda: ledger.studies(Selection())),
        ("studies that wait", 10, lambda: ledger.studies(Selection(states=queued))),
        ("a study", 20, lambda: ledger.page(Selection(study_instance_uid=study), limit=STUDY_LENGTH)),
    ]
    return [_timed(f"ledger of {beside}: {name}", at_most, ask) for name, at_most, ask in asked]


def _timed(name: str, at_most: float, ask: Callable[[], object]) -> Figure:
    figure = Figure(name, "ms", f"≤ {at_most:g}", at_most=at_most)
    for _ in range(ASKED):
        began = time.perf_counter()
        ask()
        figure.add(OURS, 1000 * (time.perf_counter() - began))
    return figure


def _deliver(delivery: Delivery, *, lease_number: int) -> Delivery | None:
    is_held = delivery.state is DeliveryState.SENDING and delivery.lease_number == lease_number
    return ended(delivery, DeliveryState.DELIVERED, "") if is_held else None


def _backlog(ledger: Ledger) -> list[Figure]:
    """Lease and settle all that waits; the last tenth must be as fast as the first."""
    leasing = Figure(f"ledger: lease of {LEASE}", "ms", "≤ 5", at_most=5)
    settling = Figure(f"ledger: settle of {LEASE}", "ms", "≤ 20", at_most=20)
    rate = Figure(f"ledger: backlog of {WAITING:,}, leased and settled", "/s", "≥ 2,000", at_least=2000)
    evenness = Figure("ledger: last tenth of that to the first", "", "≥ 0.7", at_least=0.7)
    marks = [time.perf_counter()]
    attempt = Attempt(NOW, NOW + 1, "http:200")
    while True:
        began = time.perf_counter()
        rows = ledger.lease(CLOUD, Priority.ROUTINE, now=NOW, until=NOW + 60, count_max=LEASE, size_max_bytes=10**12)
        if not rows:
            break
        leased = time.perf_counter()
        steps = [partial(_deliver, lease_number=row.delivery.lease_number) for row in rows]
        ledger.settle([Settled(row.delivery_key, step, attempt) for row, step in zip(rows, steps, strict=True)])
        marks.append(time.perf_counter())
        leasing.add(OURS, 1000 * (leased - began))
        settling.add(OURS, 1000 * (marks[-1] - leased))
    rate.add(OURS, WAITING / (marks[-1] - marks[0]))
    tenth = (len(marks) - 1) // 10
    evenness.add(OURS, (marks[tenth] - marks[0]) / (marks[-1] - marks[-1 - tenth]))
    return [leasing, settling, rate, evenness]


def _receipt(index: SqliteInstanceIndex) -> list[Figure]:
    """Commit instances with no deliveries and with two each, by turns."""
    plans = (DeliveryPlan(PACS, "ct"), DeliveryPlan(CLOUD, "ct"))
    figures = {
        (): Figure(f"ledger: commits of {BATCH} without deliveries", "/s", "–"),
        plans: Figure(f"ledger: commits of {BATCH} with two deliveries each", "/s", "–"),
    }
    for number in range(BATCHES):
        for deliveries, figure in figures.items():
            batch = [_instance(f"{number}.{len(deliveries)}", one, deliveries) for one in range(BATCH)]
            began = time.perf_counter()
            index.commit(batch, now=NOW, erase_due_at=NOW)
            figure.add(OURS, BATCH / (time.perf_counter() - began))
    return list(figures.values())


def _instance(series: str, number: int, deliveries: tuple[DeliveryPlan, ...]) -> NewInstance:
    study = "1.2.826.0.1.3680043.10.1455.99"
    new = NewInstance(
        InstanceIdentifier(study, f"{study}.{series}", f"{study}.{series}.{number}"),
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        attributes={},
        address=BlobAddress(1, number * 1000, 1000, b"12345678"),
        header_length=500,
        frame_table=b"",
        received_at=NOW,
        source="bench",
    )
    return replace(new, deliveries=deliveries)
