"""What archives have at the end, asked by QIDO-RS and the change feed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import httpx

from isocenter.dicomweb.client.client import DicomwebClient
from isocenter.domain.errors import IsocenterError
from isocenter.domain.identifiers import Level, Scope
from isocenter.modality.faults.record import Found

PAGE = 200
"""What Azure's service gives at most."""
ROWS_MAX = 5_000_000
"""Of a change feed; a scenario leaves some thousands."""
TIMEOUT_S = 30.0
_SOP_INSTANCE_UID = "00080018"


def ask_archive(url: str, studies: Iterable[str], *, reads_feed: bool) -> Found:
    """Return which instances of studies an archive has, and how many were stored again by its change feed."""
    try:
        with DicomwebClient(url, timeout_s=TIMEOUT_S) as client:
            instances = frozenset(uid for study in studies for uid in _instances(client, study))
        return Found(instances, _stored_again(url) if reads_feed else 0)
    except IsocenterError as error:
        return Found(problem=error.message)
    except (httpx.HTTPError, ValueError, KeyError) as error:
        return Found(problem=type(error).__name__)


def _instances(client: DicomwebClient, study: str) -> list[str]:
    found: list[str] = []
    while True:
        parameters = [("limit", str(PAGE)), ("offset", str(len(found)))]
        rows = client.search(Level.INSTANCE, parameters, within=Scope(study))
        found += [row[_SOP_INSTANCE_UID]["Value"][0] for row in rows]
        if len(rows) < PAGE:
            return found


def _stored_again(url: str) -> int:
    """Return how many entries of the feed tell of an instance that one before has told of."""
    seen: Counter[str] = Counter()
    with httpx.Client(timeout=TIMEOUT_S) as client:
        for offset in range(0, ROWS_MAX, PAGE):
            answer = client.get(f"{url}/changefeed", params={"limit": PAGE, "offset": offset, "includeMetadata": False})
            answer.raise_for_status()
            rows = answer.json()
            seen.update(row["sopInstanceUid"] for row in rows if row["action"].lower() == "create")
            if len(rows) < PAGE:
                break
    return sum(number - 1 for number in seen.values())
