"""The servers under measurement: isocenter, and Orthanc from Debian as it comes, each in a fresh folder."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 30
MEMORY_INTERVAL_S = 0.01
ORTHANC_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


@dataclass(slots=True)
class Server:
    """A running server."""

    name: str
    folder: Path
    port: int
    process: subprocess.Popen[bytes] = field(init=False)
    root: str = "/dicom-web"
    dimse_port: int = 0
    ae_title: str = ""
    is_kept: bool = False
    """What it stored is for the next run too."""

    def stop(self) -> None:
        """End the server, and remove what it stored unless that is kept."""
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        if not self.is_kept:
            shutil.rmtree(self.folder, ignore_errors=True)

    def resident_bytes(self) -> int:
        """Return the memory of the process that is its own or in its page tables (VmRSS)."""
        try:
            status = Path(f"/proc/{self.process.pid}/status").read_text()
        except OSError:
            return 0
        return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS")), 0)


class PeakMemory:
    """The highest memory of a server while a block runs, above what it held before."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._idle_bytes = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.above_idle_bytes = 0

    def __enter__(self) -> PeakMemory:
        self._idle_bytes = self._server.resident_bytes()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(MEMORY_INTERVAL_S):
            self.above_idle_bytes = max(self.above_idle_bytes, self._server.resident_bytes() - self._idle_bytes)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with status {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("the server did not start in time")


def _spawn(server: Server, command: list[str], *, waits_for_acknowledgements: bool = True) -> Server:
    """Start a server whose process is not there yet, and wait for its ports."""
    environment = {name: value for name, value in os.environ.items() if name != "TCP_NODELAY"}
    if not waits_for_acknowledgements:
        environment["TCP_NODELAY"] = "1"
    with (server.folder / "log.txt").open("ab") as log:
        server.process = subprocess.Popen(
            command,
            cwd=server.folder,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )
    for port in (server.port, server.dimse_port):
        if port:
            _wait_for(port, server.process)
    return server


def start_isocenter(folder: Path, *, sink_port: int | None = None) -> Server:
    """Start a node in a fresh folder; with its DICOM side where there is a sink to move to."""
    _begin(folder)
    return _spawn_isocenter(folder, folder / "data", sink_port)


def start_isocenter_on(data_dir: Path, *, sink_port: int | None = None) -> Server:
    """Start a node on a data folder that is there and stays."""
    return _spawn_isocenter(data_dir, data_dir, sink_port, is_kept=True)


def _spawn_isocenter(folder: Path, data_dir: Path, sink_port: int | None, *, is_kept: bool = False) -> Server:
    port, dimse_port = _free_port(), _free_port() if sink_port else 0
    program = Path(sys.executable).parent / "isocenter"
    command = [str(program), "serve", "--data-dir", str(data_dir), "--http", f"127.0.0.1:{port}"]
    command += ["--auth", "off"]
    if sink_port:
        command += ["--dicom", f"ISOCENTER@127.0.0.1:{dimse_port}", "--remote", f"BENCHSINK@127.0.0.1:{sink_port}"]
        for title in ("BENCHSCU", "STORESCU"):
            command += ["--remote", f"{title}@127.0.0.1"]
    server = Server("isocenter", folder, port, dimse_port=dimse_port, ae_title="ISOCENTER", is_kept=is_kept)
    return _spawn(server, command)


def start_translator(folder: Path, cloud: Server, *, sink_port: int) -> Server:
    """Start a node in a fresh folder whose translator stands before the DICOMweb service of another."""
    _begin(folder)
    port, dimse_port = _free_port(), _free_port()
    routing, settings = folder / "routing.toml", folder / "isocenter.toml"
    routing.write_text(
        f'[destinations.cloud]\nkind = "dicomweb"\nurl = "http://127.0.0.1:{cloud.port}{cloud.root}"\n'
        f'[translators.bench]\nlisten = "TRANSLATOR@127.0.0.1:{dimse_port}"\nupstream = "cloud"\n'
    )
    settings.write_text(f'[routing]\nconfiguration = "{routing}"\n')
    program = Path(sys.executable).parent / "isocenter"
    command = [str(program), "serve", "--config", str(settings), "--data-dir", str(folder / "data")]
    command += ["--http", f"127.0.0.1:{port}", "--auth", "off"]
    for remote in (f"BENCHSINK@127.0.0.1:{sink_port}", "BENCHSCU@127.0.0.1"):
        command += ["--remote", remote]
    return _spawn(Server("isocenter", folder, port, dimse_port=dimse_port, ae_title="TRANSLATOR"), command)


def start_router(folder: Path, configure: Callable[[str, int], str]) -> Server:
    """Start a node in a fresh folder with a channel that `configure` writes for a title and a port."""
    _begin(folder)
    port, dimse_port = _free_port(), _free_port()
    routing, settings = folder / "routing.toml", folder / "isocenter.toml"
    routing.write_text(configure("ROUTER", dimse_port))
    settings.write_text(f'[routing]\nconfiguration = "{routing}"\n')
    program = Path(sys.executable).parent / "isocenter"
    command = [str(program), "serve", "--config", str(settings), "--data-dir", str(folder / "data")]
    command += ["--http", f"127.0.0.1:{port}", "--auth", "off"]
    return _spawn(Server("isocenter", folder, port, dimse_port=dimse_port, ae_title="ROUTER"), command)


def has_orthanc() -> bool:
    """Tell whether the peer is installed."""
    return shutil.which("Orthanc") is not None and ORTHANC_PLUGIN.exists()


def start_orthanc(folder: Path, *, sink_port: int | None = None, waits_for_acknowledgements: bool = True) -> Server:
    """Start Orthanc with its DICOMweb plugin, everything else as its defaults are but who may ask over DICOM.

    As it comes it leaves Nagle's algorithm on for DICOM and waits for delayed acknowledgements, 22 requests a second;
    where it need not, DCMTK's variable TCP_NODELAY makes it as fast as it can be.
    """
    _begin(folder)
    port, dimse_port = _free_port(), _free_port() if sink_port else 0
    configuration: dict[str, object] = {
        "StorageDirectory": str(folder / "db"),
        "IndexDirectory": str(folder / "db"),
        "DicomServerEnabled": sink_port is not None,
        "HttpPort": port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "Plugins": [str(ORTHANC_PLUGIN)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    if sink_port:
        configuration |= {
            "DicomAet": "ORTHANC",
            "DicomPort": dimse_port,
            "DicomAlwaysAllowFind": True,
            "DicomAlwaysAllowGet": True,
            "DicomAlwaysAllowMove": True,
            "DicomModalities": {"sink": ["BENCHSINK", "127.0.0.1", sink_port]},
        }
    path = folder / "orthanc.json"
    path.write_text(json.dumps(configuration))
    return _spawn(
        Server("Orthanc", folder, port, dimse_port=dimse_port, ae_title="ORTHANC"),
        ["Orthanc", str(path)],
        waits_for_acknowledgements=waits_for_acknowledgements,
    )


def _begin(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
