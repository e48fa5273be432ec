"""Open an association to another AE and use it.

    async with opener.association(peer, [ProposedContext(VERIFICATION)]) as association:
        await association.invoke(context_id, request)

It is released when the block ends, and aborted when it ends by an error.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from isocenter.dicom.file_meta import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from isocenter.dicom.syntax import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from isocenter.dimse.scu.errors import AssociationRefused, Unanswered, describe_tls_failure, rejection_error
from isocenter.dimse.shell.connection import Connection
from isocenter.dimse.shell.exchange import Peer
from isocenter.dimse.shell.record import AssociationRegister
from isocenter.dimse.shell.runtime import Runtime
from isocenter.dimse.shell.service import NO_SERVICES, ServiceTable
from isocenter.dimse.ul.contexts import AcceptedContext
from isocenter.dimse.ul.pdu import (
    AssociateAc,
    AssociateRj,
    AssociateRq,
    PresentationContextRq,
)
from isocenter.dimse.ul.user_information import (
    AsyncOperationsWindow,
    ExtendedNegotiation,
    RoleSelection,
    UserIdentityAc,
    UserIdentityRq,
    UserIdentityType,
    UserInformation,
)
from isocenter.domain.application_entity import ALL_SERVICES, AeAddress, RemoteAe
from isocenter.domain.errors import PeerUnreachable
from isocenter.domain.principal import Principal
from isocenter.identity.application_entity import fits

CONTEXTS_MAX = 128
"""Of one association (PS3.8 9.3.2.2)."""
RELEASE_TIMEOUT_S = 10.0
"""For the peer to agree to a release; after that nobody waits for it."""


@dataclass(frozen=True, slots=True)
class ProposedContext:
    """A context to be proposed, and which role we want to play for its SOP class."""

    abstract_syntax_uid: str
    transfer_syntax_uids: tuple[str, ...] = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)
    as_scu: bool = True
    as_scp: bool = False
    extensions: bytes = b""
    """What we want of the SOP class extended negotiation, a byte for each field."""


@dataclass(frozen=True, slots=True)
class Opener:
    """What every association that we open has in common."""

    runtime: Runtime
    register: AssociationRegister
    ae_title: str
    """Ours."""
    tls: ssl.SSLContext | None = None
    """For peers that want TLS."""
    user: UserIdentityRq | None = None
    """The user whom each of them names."""

    @asynccontextmanager
    async def association(
        self,
        peer: RemoteAe,
        contexts: Sequence[ProposedContext],
        *,
        services: ServiceTable = NO_SERVICES,
        window: AsyncOperationsWindow | None = None,
    ) -> AsyncIterator[Connection]:
        """Open an association for the length of a block; `services` are what the peer may ask on it.

        Raises PeerUnreachable, PeerBusy, AssociationRefused.
        """
        connection = await self.open(peer, contexts, services=services, window=window)
        try:
            yield connection
        except BaseException:
            await give_up(connection, "Whoever used the association gave up.")
            raise
        await close(connection)

    async def open(
        self,
        peer: RemoteAe,
        contexts: Sequence[ProposedContext],
        *,
        services: ServiceTable = NO_SERVICES,
        window: AsyncOperationsWindow | None = None,
    ) -> Connection:
        """Open an association that is to be closed by `close`."""
        address = peer.address
        if address is None:
            raise PeerUnreachable(f"{peer.ae_title} has no address in dicom.remotes.")
        request = self._request(address, contexts, window)
        waiting = _Waiting(peer, services, self.runtime.loop.create_future())
        connection = Connection(self.runtime, self.register, waiting, request=request)
        await self._connect(peer, address, connection)
        try:
            self._check(peer, connection, await waiting.answer)
        except BaseException:
            await give_up(connection, "The association was not wanted any more.")
            raise
        return connection

    def _request(
        self, address: AeAddress, contexts: Sequence[ProposedContext], window: AsyncOperationsWindow | None
    ) -> AssociateRq:
        roles = {each.abstract_syntax_uid: each for each in contexts if each.as_scp or not each.as_scu}
        extended = {each.abstract_syntax_uid: each.extensions for each in contexts if each.extensions}
        return AssociateRq(
            called_ae_title=address.ae_title,
            calling_ae_title=self.ae_title,
            presentation_contexts=tuple(
                PresentationContextRq(2 * index + 1, each.abstract_syntax_uid, each.transfer_syntax_uids)
                for index, each in enumerate(contexts)
            ),
            user_information=UserInformation(
                maximum_length_received=self.runtime.pdu_length_max,
                implementation_class_uid=IMPLEMENTATION_CLASS_UID,
                implementation_version_name=IMPLEMENTATION_VERSION_NAME,
                async_operations_window=window,
                role_selections=tuple(RoleSelection(uid, each.as_scu, each.as_scp) for uid, each in roles.items()),
                extended_negotiations=tuple(ExtendedNegotiation(uid, fields) for uid, fields in extended.items()),
                user_identity=self.user,
            ),
        )

    async def _connect(self, peer: RemoteAe, address: AeAddress, connection: Connection) -> None:
        runtime = self.runtime
        try:
            async with asyncio.timeout(runtime.times.connect_s):
                await runtime.loop.create_connection(
                    lambda: connection,
                    address.host,
                    address.port,
                    ssl=self.tls if peer.uses_tls else None,
                    server_hostname="" if peer.uses_tls else None,
                )
        except TimeoutError as error:
            raise PeerUnreachable(f"{address} does not answer; check its address and that it runs.") from error
        except ssl.SSLError as error:
            raise PeerUnreachable(f"TLS with {address} failed: {describe_tls_failure(error)}.") from error
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or error
            raise PeerUnreachable(f"{address} cannot be reached: {reason}.") from error

    def _check(self, peer: RemoteAe, connection: Connection, answer: AssociateAc | AssociateRj | None) -> None:
        address = peer.address
        assert address is not None
        if isinstance(answer, AssociateRj):
            raise rejection_error(answer, address, calling_ae_title=self.ae_title, names_user=self.user is not None)
        if answer is None:
            raise PeerUnreachable(
                f"{address} did not answer the association: {connection.record.cause or 'it hung up'}"
            ) from Unanswered(connection.record)
        if not fits(connection.peer_certificate, peer.certificate_names):
            names = " or ".join(repr(str(name)) for name in peer.certificate_names)
            raise AssociationRefused(f"{address} did not show a certificate for {names}.")
        if self.user is not None and isinstance(answer.user_information.user_identity, UserIdentityAc):
            connection.record.user_name = describe_user(self.user)


def describe_user(user: UserIdentityRq) -> str:
    """Return by what people recognize a user that we name; of a token nothing is told."""
    if user.identity_type in (UserIdentityType.USERNAME, UserIdentityType.USERNAME_AND_PASSCODE):
        return user.primary_field.decode("utf-8", "replace")
    return "the bearer of the token"


_PEER_PRINCIPAL = Principal("peer", frozenset())
"""An AE that we called may do nothing with our data; what it is asked to send is taken by who asked."""


async def close(connection: Connection) -> None:
    """Release an association, and wait for it; a peer that does not agree in time is left."""
    connection.release()
    await asyncio.wait([connection.closed], timeout=RELEASE_TIMEOUT_S)
    connection.drop()
    await asyncio.wait([connection.closed])


async def give_up(connection: Connection, cause: str) -> None:
    """Abort an association, and wait until nothing is left of it."""
    connection.abort(cause)
    connection.drop()
    await asyncio.wait([connection.closed])


def find_context(
    contexts: Mapping[int, AcceptedContext], abstract_syntax_uid: str, *, transfer_syntax_uid: str | None = None
) -> AcceptedContext | None:
    """Return an agreed context on which we may ask something, or None."""
    return next(
        (
            context
            for context in contexts.values()
            if context.as_scu
            and context.abstract_syntax_uid == abstract_syntax_uid
            and transfer_syntax_uid in (None, context.transfer_syntax_uid)
        ),
        None,
    )


class _Waiting:
    """Waits for the answer to a request for an association (shell.connection.Owner)."""

    def __init__(
        self, peer: RemoteAe, services: ServiceTable, answer: asyncio.Future[AssociateAc | AssociateRj | None]
    ) -> None:
        self._peer = peer
        self._services = services
        self.answer = answer

    def connected(self, connection: Connection) -> None:
        """Take no notice: the request goes out by itself."""

    def requested(self, connection: Connection, request: AssociateRq) -> None:
        """Take no notice: nobody requests anything of a requestor."""

    def accepted(self, connection: Connection, answer: AssociateAc) -> None:
        """Begin to work on it at once: the peer's first message may be right behind its answer."""
        known_as = Peer(self._peer.ae_title, connection.record.peer_address, _PEER_PRINCIPAL, ALL_SERVICES, self._peer)
        connection.establish(answer, peer=known_as, services=self._services)
        self._end(answer)

    def rejected(self, connection: Connection, answer: AssociateRj) -> None:
        self._end(answer)

    def ended(self, connection: Connection) -> None:
        self._end(None)

    def _end(self, answer: AssociateAc | AssociateRj | None) -> None:
        if not self.answer.done():
            self.answer.set_result(answer)
