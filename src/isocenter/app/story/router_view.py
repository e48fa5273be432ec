"""The router as its console shows it: counters that add up, what waits for which archive, channels that are ordered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from isocenter.app.hospital.reach import Reach
from isocenter.app.story.signed_in import SignedIn
from isocenter.domain.errors import NotFound, PeerUnreachable, Unavailable
from isocenter.web.api.router import ROUTER_PATH

TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Counters:
    """What became of everything that the router received."""

    received: int
    delivered: int
    waiting: int
    needs_human: int
    cancelled: int

    @property
    def adds_up(self) -> bool:
        """Tell whether nothing is unaccounted for."""
        return self.received == self.delivered + self.waiting + self.needs_human + self.cancelled

    def __str__(self) -> str:
        return (
            f"{self.received} received = {self.delivered} delivered + {self.waiting} waiting + "
            f"{self.needs_human} need a person + {self.cancelled} cancelled"
        )

    def as_json(self) -> dict[str, int]:
        """Return them for programs."""
        names = ("received", "delivered", "waiting", "needs_human", "cancelled")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class Overview:
    """The router at one moment."""

    counters: Counters
    waiting: dict[str, int]
    """By destination."""
    channels: dict[str, str]
    """Their states by name."""


class RouterView:
    """Asks the router over its JSON, as its console does."""

    def __init__(self, reach: Reach) -> None:
        self._url = reach.router.web_url.rstrip("/")
        # Plain HTTP on loopback: without verify=False all certificate authorities of the machine would be read.
        self._client = httpx.Client(
            auth=SignedIn(reach.person, self._url),
            timeout=TIMEOUT_S,
            verify=False,  # noqa: S501
            trust_env=False,
        )

    def close(self) -> None:
        """Let the connection go."""
        self._client.close()

    def overview(self) -> Overview:
        """Return how everything is."""
        found = self._ask("GET", "")
        return Overview(
            _counters(found["counters"]),
            {one["name"]: one["counters"]["waiting"] for one in found["destinations"]},
            {one["name"]: one["state"] for one in found["channels"]},
        )

    def configuration(self) -> str:
        """Return the text of the configuration that holds."""
        return str(self._ask("GET", "/configuration")["text"])

    def order(self, channel: str, order: str) -> str:
        """Start, pause, stop or restart a channel, and return its state then."""
        document = {"reason": "the story of the hospital"}
        return str(self._ask("POST", f"/channels/{channel}/{order}", document)["state"])

    def _ask(self, method: str, path: str, document: object = None) -> Any:
        try:
            answer = self._client.request(method, self._url + ROUTER_PATH + path, json=document)
            found = answer.json()
        except httpx.TransportError as error:
            raise PeerUnreachable(f"The router at {self._url} does not answer.") from error
        except (httpx.HTTPError, ValueError) as error:
            raise Unavailable(f"The router at {self._url} does not answer as it should.") from error
        if answer.is_success:
            return found
        message = str(found.get("error", "")) if isinstance(found, dict) else ""
        raise (NotFound if answer.status_code == httpx.codes.NOT_FOUND else Unavailable)(message)


def _counters(found: dict[str, int]) -> Counters:
    return Counters(found["received"], found["delivered"], found["waiting"], found["needs_human"], found["cancelled"])
