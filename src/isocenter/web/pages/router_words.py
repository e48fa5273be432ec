"""Numbers of the router as people read them: sizes, rates, ages, states with the colour that they deserve."""

from __future__ import annotations

from collections.abc import Mapping

from isocenter.domain.delivery import DeliveryState
from isocenter.routing.sending.condition import DestinationState
from isocenter.routing.sending.status import describe_size
from isocenter.web.console.moment import format_duration

NOTHING = "–"
GOOD, BUSY, WARN, BAD, IDLE = "good", "busy", "warn", "bad", ""
CHANNEL_TONES: Mapping[str, str] = {"started": GOOD, "paused": WARN, "stopped": IDLE, "failed": BAD}
DESTINATION_TONES: Mapping[DestinationState, str] = {
    DestinationState.RUNNING: GOOD,
    DestinationState.DISABLED: IDLE,
    DestinationState.HELD: WARN,
    DestinationState.CLOSED: IDLE,
    DestinationState.RESTING: WARN,
    DestinationState.WAITING: BAD,
    DestinationState.SUSPENDED: BAD,
    DestinationState.PROBING: BUSY,
    DestinationState.RECOVERING: BUSY,
}
DELIVERY_TONES: Mapping[DeliveryState, str] = {
    DeliveryState.QUEUED: BUSY,
    DeliveryState.SENDING: BUSY,
    DeliveryState.HELD: WARN,
    DeliveryState.NEEDS_HUMAN: BAD,
    DeliveryState.DELIVERED: GOOD,
    DeliveryState.DELIVERED_WITH_NOTE: GOOD,
    DeliveryState.CANCELLED: IDLE,
}


def rate_words(*, instances: float, size_bytes: float) -> str:
    """Return how much goes out in a second: 12.0 images/s, 6.1 MB/s."""
    if instances <= 0:
        return "nothing in the last minute"
    return f"{instances:.1f} images/s, {describe_size(size_bytes)}/s"


def span_words(seconds: float | None) -> str:
    """Return a length of time in its two largest units, a dash where there is none."""
    return NOTHING if seconds is None else format_duration(seconds)


def shortened(text: str, length_max: int) -> str:
    """Return a text as long as there is room, with an ellipsis where some is left out."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return printable if len(printable) <= length_max else printable[: length_max - 1] + "…"


def state_words(state: str) -> str:
    """Return the name of a state as a word of a sentence: needs human."""
    return state.replace("-", " ").replace("_", " ")
