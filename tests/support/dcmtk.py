"""Servers of DCMTK (Debian) for the length of a block: storescp, dcmqrscp, wlmscpfs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.peers import require
from tests.support.processes import Process, free_port, is_listening, running


@dataclass(frozen=True, slots=True)
class DcmtkServer:
    """A running server."""

    process: Process
    ae_title: str
    port: int
    folder: Path
    """What it receives, or has."""

    @property
    def peer(self) -> str:
        """Return its address as the command line wants it."""
        return f"{self.ae_title}@127.0.0.1:{self.port}"

    def files(self) -> list[Path]:
        """Return what it has received."""
        return sorted(path for path in self.folder.rglob("*") if path.is_file() and not path.name.startswith("index"))


@contextlib.contextmanager
def storescp(
    folder: Path, *arguments: str, ae_title: str = "STORESCP", port: int | None = None
) -> Iterator[DcmtkServer]:
    """Run storescp; what it receives lies in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [require("storescp"), "-v", "-aet", ae_title, "-od", str(folder), "-dhl", *arguments]
    with _server(command, folder, ae_title, port=port) as server:
        yield server


@contextlib.contextmanager
def dcmqrscp(
    folder: Path, *, ae_title: str = "QRSCP", callers: Sequence[str] = ("ISOCENTER",), destinations: Mapping[str, int]
) -> Iterator[DcmtkServer]:
    """Run dcmqrscp, DCMTK's small archive; `destinations` are AE titles on loopback that it may move to."""
    database = folder / "database"
    database.mkdir(parents=True, exist_ok=True)
    hosts = {f"caller{number}": (title, 1) for number, title in enumerate(callers)}
    hosts |= {f"destination{number}": pair for number, pair in enumerate(destinations.items())}
    configuration = folder / "dcmqrscp.cfg"
    configuration.write_text(
        "\n".join(
            [
                "MaxPDUSize = 16384",
                "MaxAssociations = 16",
                "HostTable BEGIN",
                *(f"{name} = ({title}, 127.0.0.1, {port})" for name, (title, port) in hosts.items()),
                f"all = {', '.join(hosts)}",
                "HostTable END",
                "VendorTable BEGIN",
                "VendorTable END",
                "AETable BEGIN",
                f"{ae_title} {database} RW (1000, 1024mb) ANY",
                "AETable END",
                "",
            ]
        )
    )
    command = [require("dcmqrscp"), "-v", "+B", "-c", str(configuration)]
    with _server(command, database, ae_title, port=None) as server:
        yield server


@contextlib.contextmanager
def wlmscpfs(folder: Path, *, ae_title: str = "WLMSCP") -> Iterator[DcmtkServer]:
    """Run wlmscpfs, DCMTK's work list; its items lie in a folder of its AE title."""
    (folder / ae_title).mkdir(parents=True, exist_ok=True)
    (folder / ae_title / "lockfile").touch()
    command = [require("wlmscpfs"), "-v", "-dfp", str(folder)]
    with _server(command, folder / ae_title, ae_title, port=None) as server:
        yield server


@contextlib.contextmanager
def _server(command: Sequence[str], folder: Path, ae_title: str, *, port: int | None) -> Iterator[DcmtkServer]:
    port = port or free_port()
    log_path = folder.with_name(f"{folder.name}.{ae_title}.log")
    with running([*command, str(port)], log_path=log_path, cwd=folder) as process:
        process.wait_until(lambda: is_listening(port))
        yield DcmtkServer(process, ae_title, port, folder)
