"""How the backlog of a destination went."""

from __future__ import annotations

from isocenter.app.console.router_backlogs import LOOKS_KEPT, BacklogHistory
from isocenter.domain.delivery_counters import Counters
from isocenter.ports.ledger import Tally


def _tally(channel: str, waiting: int, destination: str = "pacs") -> Tally:
    return Tally(channel, destination, Counters(received=waiting, waiting=waiting), 0)


def test_each_look_sums_what_waits_by_all_channels_and_the_last_is_now() -> None:
    tallies: list[Tally] = []
    history = BacklogHistory(lambda: tallies)
    for waiting in (1, 5):
        tallies[:] = [_tally("a", waiting), _tally("b", 2), _tally("a", 100, "cloud")]
        history.look()
    tallies[:] = []
    assert list(history.of("pacs")) == [3, 7, 0]
    assert list(history.of("lost")) == [0, 0, 0]


def test_only_the_last_looks_are_kept() -> None:
    history = BacklogHistory(lambda: [_tally("a", 1)])
    for _ in range(LOOKS_KEPT + 5):
        history.look()
    assert len(history.of("pacs")) == LOOKS_KEPT + 1
