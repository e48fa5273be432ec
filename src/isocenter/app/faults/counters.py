"""Numbers that components tell of themselves: JSON by HTTP, and a path in it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import httpx

from isocenter.modality.faults.scenario import CounterPlan

TIMEOUT_S = 2.0
"""A component that is stopped does not hold up the others' samples for long."""


class Counters:
    """Reads the counters of a scenario, those of one address by one request."""

    def __init__(self, plans: Sequence[CounterPlan], client: httpx.AsyncClient) -> None:
        self._plans = plans
        self._client = client

    async def read(self) -> dict[str, float]:
        """Return what can be read now; what cannot is missing."""
        urls = list(dict.fromkeys(plan.url for plan in self._plans))
        documents = dict(zip(urls, await asyncio.gather(*map(self._fetch, urls)), strict=True))
        found = {plan.name: number_at(documents[plan.url], plan.path) for plan in self._plans}
        return {name: number for name, number in found.items() if number is not None}

    async def _fetch(self, url: str) -> Any:
        try:
            answer = await self._client.get(url, timeout=TIMEOUT_S)
            return answer.json() if answer.status_code == httpx.codes.OK else None
        except (httpx.HTTPError, ValueError):
            return None


def number_at(document: Any, path: str) -> float | None:
    """Return the number at a path of a JSON document, None where there is none."""
    found = list(_at(document, [part for part in path.split(".") if part]))
    numbers = [float(one) for one in found if isinstance(one, int | float) and not isinstance(one, bool)]
    if not numbers and not ("*" in path.split(".") and document is not None):
        return None
    return sum(numbers)


def _at(value: Any, parts: list[str]) -> Iterable[Any]:
    if not parts:
        return [value]
    first, rest = parts[0], parts[1:]
    if first == "*":
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
        return [found for one in inner for found in _at(one, rest)]
    if isinstance(value, dict) and first in value:
        return _at(value[first], rest)
    if isinstance(value, list) and first.isdecimal() and int(first) < len(value):
        return _at(value[int(first)], rest)
    return []
