"""Run the translators of a node: a listener for each, its services over the DICOMweb service that it stands for."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import structlog

from isocenter.app.admitting import ae_table, only_callers
from isocenter.app.dicom import DicomNode, bind, tls_settings
from isocenter.app.secrets_by_name import ReadSecret
from isocenter.app.senders.converting import Converter
from isocenter.app.senders.dicomweb import WebSender
from isocenter.app.senders.stow_batch import Service as StowService
from isocenter.app.senders.stow_batch import ServiceKnowledge
from isocenter.app.settings import Settings
from isocenter.app.translating.committing import examine_upstream
from isocenter.app.translating.fetching import FetchSettings, UpstreamSupply
from isocenter.app.translating.finding import FindLimits, query_of_upstream
from isocenter.app.translating.storing import StoreSettings, UpstreamIntake
from isocenter.app.translating.upstream import Upstream
from isocenter.app.web_target import open_web_client
from isocenter.archive.archive import Archive
from isocenter.dimse.scp.commitment import CommitmentProvider, Elsewhere
from isocenter.dimse.scp.find import FindProvider
from isocenter.dimse.scp.listener import BACKLOG, Endpoint, Listener, ListenerLimits
from isocenter.dimse.scp.query import SUPPORTED
from isocenter.dimse.scp.retrieve import RetrieveProvider
from isocenter.dimse.scp.services import ServiceSettings, node_services
from isocenter.dimse.scp.storage_classes import is_storage_class
from isocenter.dimse.scp.users import Users
from isocenter.dimse.scu.client import Opener
from isocenter.dimse.shell.tls import client_context, server_context
from isocenter.domain.application_entity import RemoteAe
from isocenter.domain.errors import InvalidSetting, Unavailable
from isocenter.identity.application_entity import AeTable
from isocenter.routing.configuration.destination import Destination, WebTarget
from isocenter.routing.configuration.translator import Translator
from isocenter.routing.translation.profile import PROFILES

_log = structlog.get_logger()

SPOOL_FOLDER = "translating"
"""In the data folder; what lies there has no name and is gone with the process."""
REQUEST_THREADS = 16
"""Searches and listings of one translator that wait for its service; further ones wait for them."""
FETCH_THREADS = 32
"""For all retrievals of one translator, each of which uses a few."""
STOP_PATIENCE_S = 5.0
"""How long requests that wait for the service may go on when the node stops."""
IDLE_TIMEOUT_S = 60.0
"""Without a byte of the service: what is not there by then is asked for again, or told as failed."""


@dataclass(frozen=True, slots=True)
class TranslatorNeeds:
    """What translators share with the node."""

    archive: Archive
    """Of which they use what keeps storage commitments, the decoder and the clock."""
    settings: Settings
    dicom: DicomNode
    users: Users | None


class RunningTranslator:
    """One translator: its listener, its threads, its connections to the service."""

    def __init__(
        self, translator: Translator, destination: Destination, needs: TranslatorNeeds, read_secret: ReadSecret
    ) -> None:
        target = destination.target
        assert isinstance(target, WebTarget), "a sound configuration has translators ask services"
        self._translator = translator
        self._destination = destination
        self._target = target
        self._needs = needs
        self._client = open_web_client(target, read_secret, timeout_s=IDLE_TIMEOUT_S)
        self._stopping = threading.Event()
        self._upstream = Upstream(destination.name, self._client, PROFILES[target.profile], self._stopping)
        self._requests = ThreadPoolExecutor(REQUEST_THREADS, f"translator-{translator.name}")
        self._fetches = ThreadPoolExecutor(FETCH_THREADS, f"translator-{translator.name}-fetch")
        self._intake = self._make_intake()
        self._socket: socket.socket = bind(translator.listen)
        self._listener: Listener | None = None
        self._commitment: CommitmentProvider | None = None

    def _make_intake(self) -> UpstreamIntake:
        archive, target = self._needs.archive, self._target
        folder = self._needs.settings.data_dir / SPOOL_FOLDER
        knowledge = ServiceKnowledge()

        def open_sender() -> WebSender:
            converter = Converter(archive.decoder)
            return WebSender(
                StowService(target, self._client, converter, knowledge, on_conflict=self._destination.on_conflict)
            )

        settings = StoreSettings(
            folder=folder,
            instance_size_max_bytes=archive.settings.instance_size_max_bytes,
            batch_size_bytes=target.batch_size_bytes,
            on_conflict=self._destination.on_conflict,
            answers_duplicates=self._translator.answers_duplicates,
        )
        return UpstreamIntake(open_sender, settings, workers=self._destination.workers, stopping=self._stopping)

    @property
    def address(self) -> str:
        """Return title, host and port that it listens on."""
        host, port = self._socket.getsockname()[:2]
        return str(replace(self._translator.listen, host=host, port=port))

    def listen(self) -> None:
        """Let connections come in; raises Unavailable where another process was quicker."""
        try:
            self._socket.listen(BACKLOG)
        except OSError as error:
            raise Unavailable(f"Cannot listen on {self._translator.listen}: {error.strerror or error}.") from error

    async def start(self) -> None:
        """Begin to accept associations; raises InvalidSetting where the title is that of the node itself."""
        needs, settings = self._needs, self._needs.settings.dicom
        listen = self._translator.listen
        admitted = only_callers(ae_table(settings, listen.ae_title, [listen.host]), self._translator.callers)
        table = replace(admitted, accepts_any_called_ae_title=False)  # others have other archives
        if table.ae_title in {address.ae_title for address in (settings.listen, settings.tls_listen) if address}:
            raise InvalidSetting(f"{table.ae_title} is the title of the node itself; the translator needs another.")
        needs.dicom.leave_to_others(table.ae_title)
        runtime = replace(needs.dicom.runtime(), executor=self._requests)
        uses_tls = any(remote.uses_tls for remote in settings.remotes)
        tls = client_context(tls_settings(settings)) if uses_tls else None
        opener = Opener(runtime, needs.dicom.register, table.ae_title, tls=tls)
        everybody = replace(table, remotes=settings.remotes)
        accepts_private = settings.private_sop_classes == "accept"
        is_supported = partial(is_storage_class, accepts_private=accepts_private)
        self._commitment = CommitmentProvider(
            needs.archive,
            runtime,
            opener,
            find_peer=everybody.destination,
            accepts_private_classes=accepts_private,
            elsewhere=Elsewhere(table.ae_title, partial(examine_upstream, self._upstream, is_supported=is_supported)),
        )
        services = node_services(
            self._intake,
            ServiceSettings(accepts_private_sop_classes=accepts_private),
            further=[
                FindProvider(
                    query_of_upstream(self._upstream, FindLimits(self._translator.matches_max)),
                    ae_title=table.ae_title,
                    supported=SUPPORTED,
                ).service(),
                *self._retrieve(opener, everybody).services(),
                self._commitment.service(),
            ],
        )
        limits = ListenerLimits(settings.associations_max, settings.associations_per_ae_max)
        self._listener = Listener(runtime, needs.dicom.register, table, services, limits=limits, users=needs.users)
        self._intake.start()
        own_tls = server_context(tls_settings(settings)) if self._translator.uses_tls else None
        await self._listener.start([Endpoint(self._socket, own_tls)])
        self._commitment.start()
        _log.info("translator.listening", translator=self._translator.name, address=self.address, **self._told())

    def _told(self) -> Mapping[str, str]:
        return {"upstream": self._destination.name, "service": self._client.service}

    def _retrieve(self, opener: Opener, everybody: AeTable) -> RetrieveProvider:
        archive, translator = self._needs.archive, self._translator
        fetch = FetchSettings(
            executor=self._fetches,
            fetches=translator.fetches,
            folder=self._needs.settings.data_dir / SPOOL_FOLDER,
            decoder=archive.decoder,
            transcode_size_max_bytes=archive.settings.transcode_size_max_bytes,
        )

        def find_destination(ae_title: str) -> RemoteAe | None:
            may_be_moved_to = not translator.move_to or ae_title in translator.move_to
            return everybody.destination(ae_title) if may_be_moved_to else None

        return RetrieveProvider(
            UpstreamSupply(self._upstream, fetch),
            opener,
            find_destination=find_destination,
            store_associations_max=self._needs.settings.dicom.store_associations_max,
        )

    async def stop(self) -> None:
        """Let what is under way end for a moment, then what asks the service for it, and all associations."""
        loop = asyncio.get_running_loop()
        interruption = loop.call_later(STOP_PATIENCE_S, self._interrupt)
        try:
            if self._listener is not None:
                await self._listener.stop()
            if self._commitment is not None:
                await self._commitment.stop()
        finally:
            interruption.cancel()
        await loop.run_in_executor(None, self.close)

    def _interrupt(self) -> None:
        """Wake all threads that wait for the service."""
        self._stopping.set()
        self._client.interrupt()

    def close(self) -> None:
        """Let go of everything; what waits for the service is told that it ends. Harmless a second time."""
        self._interrupt()
        self._client.close()
        self._intake.stop()
        for executor in (self._requests, self._fetches):
            executor.shutdown(cancel_futures=True)
        self._socket.close()
