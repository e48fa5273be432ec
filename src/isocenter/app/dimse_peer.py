"""Another application entity that a command talks to: where it is, as whom we call, and the event loop for it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from isocenter.app.logging_setup import set_up_logging
from isocenter.dimse.scu.client import Opener
from isocenter.dimse.shell.record import AssociationRegister
from isocenter.dimse.shell.runtime import Completions, Runtime, Times
from isocenter.dimse.shell.tls import TlsSettings, client_context
from isocenter.dimse.ul.errors import AssociationOver
from isocenter.dimse.ul.user_information import UserIdentityRq
from isocenter.domain.application_entity import RemoteAe
from isocenter.domain.errors import InvalidSetting, Unavailable

T = TypeVar("T")

THREADS = 4
"""For files: what is read or written while a few associations are busy."""
CALLING_AE_TITLE = "ISOCENTER"
RESPONSE_TIMEOUT_S = 120.0
"""A peer that fetches from a slow archive before its first response takes a minute or more."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Our certificate and key, and the certificates of those whom we trust, as PEM files."""

    certificate: Path | None = None
    key: Path | None = None
    authorities: Path | None = None


@dataclass(frozen=True, slots=True)
class DimsePeer:
    """A peer and how to call it."""

    remote: RemoteAe
    calling_ae_title: str = CALLING_AE_TITLE
    tls_files: TlsFiles | None = None
    """None without TLS."""
    timeout_s: float = RESPONSE_TIMEOUT_S
    user: UserIdentityRq | None = None
    """Who is named to it as the user of our associations."""

    def __str__(self) -> str:
        return str(self.remote.address)

    def call(self, work: Callable[[Opener], Awaitable[T]]) -> T:
        """Run something that opens associations to the peer, for a command, whose log is of no interest; see `run`."""
        set_up_logging("error", "console")
        return self.run(work)

    def run(self, work: Callable[[Opener], Awaitable[T]]) -> T:
        """Run something that opens associations to the peer, in an event loop of its own.

        Raises InvalidSetting where certificate or key cannot be used, Unavailable where an association ended early, and
        whatever else the work raises.
        """
        tls = None if self.tls_files is None else _tls_context(self.tls_files)
        return asyncio.run(self._call(work, tls))

    def with_tls(self, files: TlsFiles) -> DimsePeer:
        """Return the same peer called over TLS."""
        return replace(self, remote=replace(self.remote, uses_tls=True), tls_files=files)

    async def _call(self, work: Callable[[Opener], Awaitable[T]], tls: ssl.SSLContext | None) -> T:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(THREADS, "files") as executor:
            runtime = Runtime(
                loop=loop,
                executor=executor,
                picture_executor=executor,
                completions=Completions(loop),
                now=lambda: datetime.now(UTC),
                times=Times(dimse_s=self.timeout_s),
            )
            register = AssociationRegister()
            try:
                return await work(Opener(runtime, register, self.calling_ae_title, tls=tls, user=self.user))
            except AssociationOver as error:
                cause = next((record.cause for record in register.recent if record.cause), "it gave no reason.")
                raise Unavailable(f"The association with {self} ended early: {cause}") from error


def _tls_context(files: TlsFiles) -> ssl.SSLContext:
    settings = TlsSettings(certificate=files.certificate, key=files.key, authorities=files.authorities)
    try:
        return client_context(settings)
    except InvalidSetting as error:
        raise InvalidSetting(_in_words_of_options(error.message)) from error


def _in_words_of_options(message: str) -> str:
    """Return a message about settings of a node as one about the options of a command."""
    for setting, option in (
        ("dicom.tls_certificate", "--cert"),
        ("dicom.tls_key", "--key"),
        ("dicom.tls_authorities", "--ca"),
    ):
        message = message.replace(setting, option)
    return message
