"""Our own node as the PACS: DICOMweb for what is in it, DIMSE under its title for what it asks of others.

A move of its study to QIETOAZURE is ordered of it by C-MOVE. A search of QIETOAZURE, and a retrieval from there, are
C-FIND and C-MOVE under the title of the PACS, word for word as any PACS sends them.
"""

from __future__ import annotations

from collections.abc import Iterable

from isocenter.app.dimse_peer import DimsePeer
from isocenter.app.finding import FindRequest, build_identifier, row_of, search
from isocenter.app.hospital.reach import Reach
from isocenter.app.retrieving import scope_identifier
from isocenter.app.story.pacs import RemoteSearch
from isocenter.app.story.signed_in import SignedIn
from isocenter.app.story.web_source import STUDY_INSTANCE_UID, TIMEOUT_S, WebSource
from isocenter.dimse.scu.client import Opener, ProposedContext
from isocenter.dimse.scu.find import Match
from isocenter.dimse.scu.retrieve import STUDY_ROOT_MOVE, Retrieved, move
from isocenter.domain.application_entity import AeAddress, RemoteAe
from isocenter.domain.errors import IsocenterError, Unavailable
from isocenter.domain.identifiers import Level, Scope

DICOMWEB_PATH = "/v2"


class OurPacs:
    """A PACS that is a node of ours."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        auth = SignedIn(reach.person, reach.pacs.web_url)
        self._web = WebSource(reach.pacs.web_url, path=DICOMWEB_PATH, auth=auth)

    def studies_of(self, patient_id: str) -> frozenset[str]:
        """Return the studies of a patient that are in it."""
        return self._web.studies_of(patient_id)

    def instances_of(self, study: str) -> frozenset[str]:
        """Return the instances of a study that are in it."""
        return self._web.instances_of(study)

    def digests_of(self, study: str) -> dict[str, str]:
        """Return SHA-256 of the pixel data of each instance of a study, as it comes back."""
        return self._web.digests_of(study)

    def stored_again(self, studies: Iterable[str]) -> int:
        """Return how many instances of studies were stored more than once, by the change feed."""
        return self._web.stored_again(studies)

    def send_to_cloud(self, study: str) -> int:
        """Order it to move a study to QIETOAZURE."""
        return self._move(self._reach.pacs.address, study, to=self._reach.router.qietoazure.ae_title)

    def find_in_cloud(self, patient_id: str) -> RemoteSearch:
        """Search QIETOAZURE under its title."""
        request = FindRequest(Level.STUDY, (("PatientID", patient_id),))
        identifier = build_identifier(request)
        peer = self._peer(self._reach.router.qietoazure)

        async def work(opener: Opener) -> list[Match]:
            return await search(opener, peer, request, identifier)

        try:
            rows = [row_of(match) for match in peer.run(work)]
        except IsocenterError as error:
            return RemoteSearch(failure=error.message)
        return RemoteSearch(frozenset(row[STUDY_INSTANCE_UID]["Value"][0] for row in rows))

    def retrieve_from_cloud(self, study: str) -> int:
        """Have QIETOAZURE move a study to it."""
        return self._move(self._reach.router.qietoazure, study, to=self._reach.pacs.address.ae_title)

    def _move(self, source: AeAddress, study: str, *, to: str) -> int:
        peer = self._peer(source)

        async def work(opener: Opener) -> Retrieved:
            async with opener.association(peer.remote, [ProposedContext(STUDY_ROOT_MOVE)]) as association:
                return await move(association, scope_identifier(Scope(study)), destination=to)

        result = peer.run(work)
        if result.told or result.progress.failed:
            failed = f"{result.progress.failed} of {result.progress.total} failed"
            raise Unavailable(f"{source} ends the move to {to} with {result.told or failed}.")
        return result.progress.completed

    def _peer(self, address: AeAddress) -> DimsePeer:
        remote = RemoteAe(address.ae_title, address.host, address.port)
        return DimsePeer(remote, self._reach.pacs.address.ae_title, timeout_s=TIMEOUT_S)
