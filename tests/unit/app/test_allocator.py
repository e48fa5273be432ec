from __future__ import annotations

import gc

from isocenter.app.allocator import exempt_from_collection


def test_what_is_there_is_not_looked_through_again_and_what_comes_later_is() -> None:
    exempt_from_collection()
    try:
        assert gc.get_freeze_count() > 0
        cycle: list[object] = []
        cycle.append(cycle)
        assert any(one is cycle for one in gc.get_objects())
        del cycle
        assert gc.collect() >= 1
    finally:
        gc.unfreeze()
