"""What was seen while a scenario played, as JSON."""

from __future__ import annotations

from typing import Any

from isocenter.modality.faults.record import Record


def record_json(record: Record) -> dict[str, Any]:
    """Return happenings and samples as programs read them."""
    return {
        "happenings": [
            {"at_s": round(one.at_s, 3), "thing": one.thing, "text": one.text, "is_trouble": one.is_trouble}
            for one in record.happenings
        ],
        "samples": [
            {
                "at_s": round(one.at_s, 3),
                "sent": one.sent,
                "acknowledged": one.acknowledged,
                "counters": dict(one.counters),
            }
            for one in record.samples
        ],
    }
