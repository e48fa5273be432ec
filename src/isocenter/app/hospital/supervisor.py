"""The supervisor: lines first, then the parts, then the page and the API that order of them what is wanted.

    ports ─▶ accounts, channels ─▶ lines ─▶ parts, all at once ─▶ page and API ─▶ first images
                                                                        │
    Ctrl-C, SIGTERM, the end of the block ◀─────────────────────────────┘   everything ends, in reverse

A part ends with the supervisor whatever becomes of that: the kernel tells it (PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from isocenter.app.hospital.channels import SCOPE, write_channels
from isocenter.app.hospital.control import Cut, HospitalStatus, Line, Part
from isocenter.app.hospital.filling import Filling
from isocenter.app.hospital.folder import HospitalFolder, Installation
from isocenter.app.hospital.folder_lock import holding
from isocenter.app.hospital.lines import Lines, running_lines
from isocenter.app.hospital.options import HospitalOptions, PortName
from isocenter.app.hospital.part import SupervisedPart
from isocenter.app.hospital.plans import part_plans
from isocenter.app.hospital.ports import HOST, choose_ports
from isocenter.app.hospital.reach import (
    Application,
    PacsKind,
    PacsReach,
    Reach,
    RouterReach,
    Supervisor,
    announced,
    read_reach,
)
from isocenter.domain.application_entity import AeAddress
from isocenter.domain.errors import Conflict, InvalidSetting, IsocenterError

_TOKEN_SIZE_BYTES = 24
ORTHANC_NOTE = (
    "Orthanc cannot listen on loopback alone: other machines reach its DICOM port, where they may only store; "
    "its page turns them away."
)

Tell = Callable[[str], None]
"""Takes a sentence for whoever started the hospital."""


@dataclass(frozen=True, slots=True)
class Hospital:
    """A running one, as the event loop sees it."""

    reach: Reach
    parts: Mapping[Part, SupervisedPart]
    lines: Lines
    filling: Filling

    def status(self) -> HospitalStatus:
        """Return how everything is."""
        return HospitalStatus(
            tuple(part.status for part in self.parts.values()), self.lines.statuses(), self.filling.text
        )

    async def start(self, part: Part) -> None:
        """Start a part."""
        await self.parts[part].start()

    async def stop(self, part: Part) -> None:
        """Stop a part."""
        await self.parts[part].stop()

    async def kill(self, part: Part) -> None:
        """Kill a part."""
        await self.parts[part].kill()

    def cut(self, line: Line, how: Cut) -> None:
        """Cut a line."""
        self.lines.cut(line, how)

    def heal(self, line: Line) -> None:
        """Heal a line."""
        self.lines.heal(line)


@asynccontextmanager
async def supervised(path: Path, options: HospitalOptions, *, tell: Tell) -> AsyncIterator[Hospital]:
    """Run a hospital for the length of a block.

    Raises Conflict where one runs in that folder, InvalidSetting and Unavailable where it cannot be started.
    """
    folder = HospitalFolder(path.resolve())
    folder.prepare()
    async with AsyncExitStack() as stack:
        try:
            stack.enter_context(holding(folder.path))
        except Conflict as error:
            raise Conflict(_who_holds(folder.path)) from error
        before = folder.remembered_ports()
        chosen = choose_ports(options.ports, before)
        for sentence in chosen.moved:
            tell(sentence)
        if options.pacs is PacsKind.ORTHANC:
            tell(ORTHANC_NOTE)
        ports = chosen.of
        listener = _listener(ports[PortName.FRONT])
        stack.callback(listener.close)
        installed = await asyncio.to_thread(_install, folder, options, ports=ports, before=before)
        plans = part_plans(folder, options.pacs, ports=ports, person=installed.person)
        reach = _reach(folder, options.pacs, ports=ports, installed=installed)
        lines = await stack.enter_async_context(running_lines(ports))
        folder.remember_ports(ports)
        parts = {name: SupervisedPart(name, plan, folder.logs, tell=tell) for name, plan in plans.items()}
        filling = Filling(folder, tell=tell)
        hospital = Hospital(reach, parts, lines, filling)
        stack.push_async_callback(_end, parts)
        opening, _ = await asyncio.gather(asyncio.to_thread(_load_page), _start(parts))
        for part in parts.values():
            stack.push_async_callback(_cancelled, asyncio.create_task(part.watch()))
        await stack.enter_async_context(opening(hospital, listener))
        stack.enter_context(announced(reach))
        if options.is_filled:
            stack.push_async_callback(filling.end)
            await filling.begin(options.samples)
        yield hospital


def _load_page() -> Callable[[Hospital, socket.socket], AbstractAsyncContextManager[None]]:
    """Return what serves the page. It takes a second to load, in which the parts start."""
    from isocenter.app.hospital.front_server import serving_front

    return serving_front


def _who_holds(folder: Path) -> str:
    try:
        reach = read_reach(folder)
    except IsocenterError:
        return f"Another process is starting or ending a demo in {folder}; try again, or choose another --folder."
    return (
        f"A demo runs in {folder} already: process {reach.supervisor.process_id}, {reach.supervisor.web_url}/. "
        "Choose another --folder, or end that one."
    )


def _listener(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        raise InvalidSetting(f"Port {port} cannot be listened on: {error.strerror}.") from error


def _install(
    folder: HospitalFolder, options: HospitalOptions, *, ports: Mapping[str, int], before: Mapping[str, int]
) -> Installation:
    installed = folder.installation()
    for part in Part:
        if part is not Part.PACS or options.pacs is PacsKind.ISOCENTER:
            _register(folder, part, installed)
    write_channels(
        folder.channels_file,
        ports=ports,
        before=before,
        tenant_id=installed.tenant_id,
        client_id=installed.client_id,
    )
    return installed


def _register(folder: HospitalFolder, part: Part, installed: Installation) -> None:
    if not folder.knows_accounts(part, installed):
        from isocenter.app.hospital.accounts import register

        register(folder.of(part), installed)
        folder.note_accounts(part, installed)


def _reach(folder: HospitalFolder, pacs: PacsKind, *, ports: Mapping[str, int], installed: Installation) -> Reach:
    cloud_url = f"http://{HOST}:{ports[PortName.CLOUD]}"
    return Reach(
        folder.path,
        PacsReach(pacs, AeAddress("ORTHANC", HOST, ports[PortName.PACS]), f"http://{HOST}:{ports[PortName.PACS_WEB]}"),
        RouterReach(
            AeAddress("QIEROUTER", HOST, ports[PortName.QIEROUTER]),
            AeAddress("QIETOAZURE", HOST, ports[PortName.QIETOAZURE]),
            f"http://{HOST}:{ports[PortName.ROUTER_WEB]}",
        ),
        cloud_url,
        installed.person,
        Application(
            f"{cloud_url}/{installed.tenant_id}/oauth2/v2.0/token", installed.client_id, folder.secret_file, SCOPE
        ),
        Supervisor(os.getpid(), f"http://{HOST}:{ports[PortName.FRONT]}", secrets.token_urlsafe(_TOKEN_SIZE_BYTES)),
    )


async def _start(parts: Mapping[Part, SupervisedPart]) -> None:
    """Start all parts at once; the first failure is told, when none is on its way any more."""
    outcomes = await asyncio.gather(*(part.start() for part in parts.values()), return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome


async def _end(parts: Mapping[Part, SupervisedPart]) -> None:
    """End all parts at once, at the latest by force."""
    try:
        await asyncio.gather(*(part.stop() for part in parts.values()))
    finally:
        for part in parts.values():
            part.end_at_once()


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
