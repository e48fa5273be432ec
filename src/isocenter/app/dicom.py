"""The DICOM listener of a node: from settings and an open archive to something that is started and stopped."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import structlog

from isocenter.app.admitting import ae_table
from isocenter.app.http_protocol import bound_sending
from isocenter.app.settings import DicomSettings, Settings
from isocenter.app.worklist_pass_services import WorklistServices
from isocenter.archive.archive import Archive
from isocenter.archive.commitment import Titles
from isocenter.dimse.scp.commitment import CommitmentProvider
from isocenter.dimse.scp.find import FindProvider
from isocenter.dimse.scp.listener import BACKLOG, Endpoint, Listener, ListenerLimits
from isocenter.dimse.scp.outgoing import ArchiveSupply
from isocenter.dimse.scp.query import SUPPORTED, query_of
from isocenter.dimse.scp.retrieve import RetrieveProvider
from isocenter.dimse.scp.services import ServiceSettings, node_services
from isocenter.dimse.scp.users import Users
from isocenter.dimse.scu.client import Opener
from isocenter.dimse.shell.record import AssociationRegister
from isocenter.dimse.shell.runtime import Completions, Runtime, Times
from isocenter.dimse.shell.service import ServiceTable
from isocenter.dimse.shell.tls import TlsSettings, client_context, server_context
from isocenter.dimse.ul.limits import AssociationLimits
from isocenter.domain.application_entity import AeAddress
from isocenter.domain.errors import InvalidSetting, Unavailable
from isocenter.identity.application_entity import AeTable

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class BoundEndpoint:
    """A socket that is bound for associations, and whether TLS is spoken there."""

    address: AeAddress
    socket: socket.socket
    uses_tls: bool


@contextmanager
def bound_endpoints(settings: DicomSettings) -> Iterator[list[BoundEndpoint]]:
    """Bind what the settings name, before anything else is opened, and close it at the end.

    Raises InvalidSetting where the settings contradict each other, Unavailable where a port is taken.
    """
    wanted = [(settings.listen, False), (settings.tls_listen, True)]
    endpoints: list[BoundEndpoint] = []
    try:
        for address, uses_tls in wanted:
            if address is not None:
                endpoints.append(BoundEndpoint(address, bind(address), uses_tls))
        if len({endpoint.address.ae_title for endpoint in endpoints}) > 1:
            raise InvalidSetting("dicom.listen and dicom.tls_listen must name the same AE title.")
        if settings.tls_listen is not None:
            server_context(tls_settings(settings))  # so that wrong keys are told now
        yield endpoints
    finally:
        for endpoint in endpoints:
            endpoint.socket.close()


def bind(address: AeAddress) -> socket.socket:
    """Bind a socket for associations; raises Unavailable where the port is taken."""
    """Return a socket bound for associations; raises Unavailable where the port is taken."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound_sending(listener)
    try:
        listener.bind((address.host, address.port))
    except OSError as error:
        listener.close()
        raise _cannot_listen(address, error) from error
    return listener


def _cannot_listen(address: AeAddress, error: OSError) -> Unavailable:
    return Unavailable(
        f"Cannot listen on {address.host}:{address.port}: {error.strerror or error}. Choose another port."
    )


def tls_settings(settings: DicomSettings) -> TlsSettings:
    """Return what the settings say of TLS."""
    return TlsSettings(
        profile=settings.tls_profile,
        certificate=settings.tls_certificate,
        key=settings.tls_key,
        key_password=settings.tls_key_password,
        authorities=settings.tls_authorities,
        client_certificate=settings.tls_client_certificate,
    )


class DicomNode:
    """The associations of a running node."""

    def __init__(
        self,
        archive: Archive,
        settings: Settings,
        endpoints: list[BoundEndpoint],
        *,
        executor: Executor,
        picture_executor: Executor,
        users: Users | None = None,
    ) -> None:
        """`users` verifies those whom callers name, where the settings want that."""
        self._archive = archive
        self._settings = settings.dicom
        self.worklist = WorklistServices(archive, settings)
        """The work list and performed steps, for the listeners of channels too."""
        self._endpoints = endpoints
        self._executor = executor
        self._picture_executor = picture_executor
        self._users = users
        self._listener: Listener | None = None
        self._commitment: CommitmentProvider | None = None
        self.register = AssociationRegister()
        """What is known of associations, for whoever shows it."""
        self.titles_of_others: frozenset[str] = frozenset()
        """Of other listeners in this node, which see to the storage commitments that were asked of them."""

    def listen(self) -> None:
        """Let connections come in; they wait until `start`.

        Raises Unavailable where another process was quicker to listen on a port that both could bind.
        """
        for endpoint in self._endpoints:
            try:
                endpoint.socket.listen(BACKLOG)
            except OSError as error:
                raise _cannot_listen(endpoint.address, error) from error

    async def start(self) -> None:
        """Begin to accept associations, in the running event loop."""
        self.worklist.start(self.runtime(), self.register, self._client_tls)
        if not self._endpoints:
            return
        hosts = [endpoint.address.host for endpoint in self._endpoints]
        table = ae_table(self._settings, self._endpoints[0].address.ae_title, hosts)
        runtime = self.runtime()
        services, self._commitment = self._provide(runtime, table)
        self._listener = Listener(
            runtime,
            self.register,
            table,
            services,
            limits=ListenerLimits(self._settings.associations_max, self._settings.associations_per_ae_max),
            users=self._users,
        )
        tls = server_context(tls_settings(self._settings)) if self._settings.tls_listen is not None else None
        await self._listener.start(
            [Endpoint(endpoint.socket, tls if endpoint.uses_tls else None) for endpoint in self._endpoints]
        )
        self._commitment.titles = Titles(but=self.titles_of_others)
        self._commitment.start()
        for endpoint in self._endpoints:
            host, port = endpoint.socket.getsockname()[:2]
            _log.info(
                "dicom.listening",
                ae_title=endpoint.address.ae_title,
                address=str(AeAddress(endpoint.address.ae_title, host, port)),
                tls=endpoint.uses_tls,
                unknown_callers="accepted" if table.accepts_unknown_callers else "refused",
            )

    def leave_to_others(self, ae_title: str) -> None:
        """Leave the storage commitments that were asked of a title to another listener of this node."""
        self.titles_of_others |= {ae_title}
        if self._commitment is not None:
            self._commitment.titles = Titles(but=self.titles_of_others)

    @property
    def titles(self) -> frozenset[str]:
        """Return the node's own AE title, none where it does not listen."""
        return frozenset(endpoint.address.ae_title for endpoint in self._endpoints)

    def claim_title(self, ae_title: str) -> bool:
        """Leave a title to another listener of this node, unless it is the node's own; tell whether it was left."""
        if ae_title in self.titles:
            return False
        self.leave_to_others(ae_title)
        return True

    async def offered(self) -> ServiceTable:
        """Return what callers may ask for, without listening: for the conformance statement."""
        services, _commitment = self._provide(self.runtime(), AeTable("ISOCENTER"))
        return services

    def _provide(self, runtime: Runtime, table: AeTable) -> tuple[ServiceTable, CommitmentProvider]:
        opener = Opener(runtime, self.register, table.ae_title, tls=self._client_tls())
        commitment = CommitmentProvider(
            self._archive,
            runtime,
            opener,
            find_peer=table.destination,
            accepts_private_classes=self._settings.private_sop_classes == "accept",
        )
        return self._services(table, opener, commitment), commitment

    async def stop(self) -> None:
        """End all associations."""
        await self.worklist.stop()
        if self._commitment is not None:
            await self._commitment.stop()
        if self._listener is not None:
            await self._listener.stop()

    def runtime(self) -> Runtime:
        """Return what associations of this node work with, in the running event loop."""
        settings = self._settings
        loop = asyncio.get_running_loop()
        return Runtime(
            loop=loop,
            executor=self._executor,
            picture_executor=self._picture_executor,
            completions=Completions(loop),
            now=self._archive.clock.now,
            limits=AssociationLimits(
                artim_timeout_s=settings.acse_timeout_s,
                request_timeout_s=settings.acse_timeout_s,
                idle_timeout_s=None,  # the shell knows better what an association waits for
            ),
            times=Times(
                dimse_s=settings.dimse_timeout_s, idle_s=settings.idle_timeout_s, connect_s=settings.connect_timeout_s
            ),
        )

    def worklist_overview(self) -> dict[str, Any]:
        """Return how it stands with another AE's work list, for programs; waits for the disk."""
        return self.worklist.overview()

    def _client_tls(self) -> ssl.SSLContext | None:
        """Return what associations to peers that want TLS are opened with, None where no peer does."""
        if not any(remote.uses_tls for remote in self._settings.remotes):
            return None
        return client_context(tls_settings(self._settings))

    def _services(self, table: AeTable, opener: Opener, commitment: CommitmentProvider) -> ServiceTable:
        archive = self._archive
        retrieve = RetrieveProvider(
            ArchiveSupply(archive),
            opener,
            find_destination=table.destination,
            store_associations_max=self._settings.store_associations_max,
        )
        return node_services(
            archive,
            ServiceSettings(accepts_private_sop_classes=self._settings.private_sop_classes == "accept"),
            further=[
                FindProvider(query_of(archive), ae_title=table.ae_title, supported=SUPPORTED).service(),
                *retrieve.services(),
                *self.worklist.services(),
                commitment.service(),
            ],
        )
