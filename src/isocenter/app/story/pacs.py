"""The PACS of the story, whichever program it is: what a person at its screen sees and does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class RemoteSearch:
    """What came of searching another archive."""

    studies: frozenset[str] = frozenset()
    failure: str = ""
    """Why the search failed; empty where it did not, also when it found nothing."""


class Pacs(Protocol):
    """A PACS at work. Methods raise errors of the tree where it does not answer as it should."""

    def studies_of(self, patient_id: str) -> frozenset[str]:
        """Return the studies of a patient that are in it."""
        ...

    def instances_of(self, study: str) -> frozenset[str]:
        """Return the instances of a study that are in it."""
        ...

    def digests_of(self, study: str) -> dict[str, str]:
        """Return SHA-256 of the pixel data of each instance of a study, as it comes back."""
        ...

    def stored_again(self, studies: Iterable[str]) -> int:
        """Return how many instances of studies were stored more than once, by its own log of changes."""
        ...

    def send_to_cloud(self, study: str) -> int:
        """Have it send a study to QIETOAZURE, and return how many instances it says went there."""
        ...

    def find_in_cloud(self, patient_id: str) -> RemoteSearch:
        """Have it search QIETOAZURE for a patient."""
        ...

    def retrieve_from_cloud(self, study: str) -> int:
        """Have it retrieve a study from QIETOAZURE, and return how many instances it says came."""
        ...
