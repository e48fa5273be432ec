"""Faults as values: one class for each kind, complete when constructed.

Faults of bytes go with any protocol, TLS included; those of HTTP and DIMSE need a link that says it speaks that.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from isocenter.dimse.ul.pdu import AbortSource, RejectResult, RejectSource


class Direction(StrEnum):
    """Which way bytes go on a link."""

    REQUESTS = "requests"
    """From whoever connected, to the target."""
    ANSWERS = "answers"
    """From the target."""
    BOTH = "both"

    def covers(self, direction: Direction) -> bool:
        """Tell whether it includes another one."""
        return self in (Direction.BOTH, direction)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What all kinds have in common: how often it strikes, of the occasions that there are."""

    count: int = 0
    """At most so many times; 0 without limit."""
    probability: float = 1.0
    seed: int = 1


# Of bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency(Fault):
    """Bytes arrive later."""

    delay_s: float = 0.1
    jitter_s: float = 0.0
    direction: Direction = Direction.BOTH


@dataclass(frozen=True, slots=True, kw_only=True)
class Bandwidth(Fault):
    """Bytes pass slowly, each direction of each connection by itself."""

    bytes_per_s: int
    direction: Direction = Direction.BOTH


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse(Fault):
    """Nobody listens; connections that are open are reset, as where a line or a machine goes."""

    cuts_open: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset(Fault):
    """A connection is reset (RST) where more than so many bytes would pass."""

    after_bytes: int = 0
    direction: Direction = Direction.BOTH


@dataclass(frozen=True, slots=True, kw_only=True)
class Close(Fault):
    """A connection is closed (FIN) where more than so many bytes would pass, as if that were all."""

    after_bytes: int = 0
    direction: Direction = Direction.ANSWERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Stall(Fault):
    """Behind so many bytes nothing passes any more, and nobody learns of it."""

    after_bytes: int = 0
    direction: Direction = Direction.BOTH


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence(Fault):
    """New connections are accepted and never answered; the target sees nothing of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Garble(Fault):
    """Behind so many bytes the rest is replaced by random ones."""

    after_bytes: int = 0
    direction: Direction = Direction.ANSWERS


# Of HTTP


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpFault(Fault):
    """A fault that strikes requests, those of a method and path where these are given."""

    method: str = ""
    path: str = ""
    """A pattern with `*` and `?`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer(HttpFault):
    """A request is answered with a status in the place of the target, which never sees it."""

    status: int
    retry_after_s: float | None = None
    location: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpTruncate(HttpFault):
    """An answer is closed behind so many bytes of its body."""

    after_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSilence(HttpFault):
    """A request is taken and never answered; the target never sees it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpToken(HttpFault):
    """The bearer token of a request is replaced, or taken away where none is given: what an expired one looks like."""

    token: str = ""


# Of DIMSE


@dataclass(frozen=True, slots=True, kw_only=True)
class DimseReject(Fault):
    """A request for an association is rejected in the place of the target."""

    result: int = RejectResult.PERMANENT.value
    source: int = RejectSource.SERVICE_USER.value
    reason: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class DimseAbort(Fault):
    """An association is aborted to both sides behind so many answered instances."""

    after_instances: int = 0
    source: int = AbortSource.SERVICE_PROVIDER.value
    reason: int = 0
    hides_answer: bool = False
    """Whether the target has stored one more, whose answer the abort takes the place of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DimseStatus(Fault):
    """A C-STORE is answered with a status."""

    status: int
    reaches_target: bool = False
    """Whether the target stores the instance all the same; without it the target sees nothing of it."""
