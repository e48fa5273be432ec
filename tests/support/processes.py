"""Programs that tests start, surely ended: a node of ours, an Orthanc with its DICOMweb plugin.

Each is a context manager. A process ends with its block, and with the test run itself even when that is
killed (the kernel tells the child of its parent's death).
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.support.peers import require, require_file

START_TIMEOUT_S = 60.0
"""A cold start on a loaded machine with two cores."""
STOP_TIMEOUT_S = 30.0
"""A node that takes longer to end cleanly has a fault."""
_POLL_S = 0.05
_LOG_TAIL_BYTES = 4000
_PR_SET_PDEATHSIG = 1
_ORTHANC_DICOMWEB = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"


@dataclass(frozen=True, slots=True)
class Process:
    """A started program and where it writes what it has to say."""

    popen: subprocess.Popen[bytes]
    log_path: Path

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self.popen.pid

    def log(self) -> str:
        """Return the last part of what it wrote."""
        return self.log_path.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace")

    def kill(self) -> None:
        """End it at once, as a power cut would, and wait until it is gone."""
        if self.popen.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait(STOP_TIMEOUT_S)

    def terminate(self) -> int:
        """Ask it to end, wait, and return its exit code; a process that does not end in time is killed and fails."""
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
        try:
            return self.popen.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"SIGTERM did not end it within {STOP_TIMEOUT_S:.0f} s:\n{self.log()}") from None

    def wait_until(self, is_ready: Callable[[], bool], *, timeout_s: float = START_TIMEOUT_S) -> None:
        """Wait for a condition; fail at once if the process ends before, or in the end if time runs out."""
        deadline = time.monotonic() + timeout_s
        while not is_ready():
            if time.monotonic() > deadline:
                raise AssertionError(f"not ready within {timeout_s:.0f} s:\n{self.log()}")
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = self.popen.wait(_POLL_S)
                raise AssertionError(f"ended with code {code} before it was ready:\n{self.log()}")


@dataclass(frozen=True, slots=True)
class Node:
    """A running `isocenter serve`."""

    process: Process
    base_url: str
    """For example `http://127.0.0.1:40123`, without a slash at the end."""
    data_dir: Path

    @property
    def dicomweb_url(self) -> str:
        """Return the root of the DICOMweb service."""
        return f"{self.base_url}/dicom-web"


@dataclass(frozen=True, slots=True)
class Orthanc:
    """A running Orthanc with its DICOMweb plugin."""

    process: Process
    base_url: str
    dicom_port: int
    ae_title: str

    @property
    def dicomweb_url(self) -> str:
        """Return the root of its DICOMweb service."""
        return f"{self.base_url}/dicom-web"


def free_port() -> int:
    """Return a port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_listening(port: int) -> bool:
    """Tell whether somebody accepts connections on a port of loopback."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def answers_ok(url: str) -> bool:
    """Tell whether a GET of the address answers 200."""
    try:
        # Plain HTTP: without verify=False each call would read all certificate authorities of the machine.
        return httpx.get(url, timeout=5, verify=False).status_code == httpx.codes.OK  # noqa: S501
    except httpx.TransportError:
        return False


@contextlib.contextmanager
def running(
    command: Sequence[str], *, log_path: Path, environment: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Iterator[Process]:
    """Run a program for the length of a block, in a process group of its own, and end the whole group after it."""
    with log_path.open("ab") as log:
        popen = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
            preexec_fn=_end_with_parent(),
        )
    process = Process(popen, log_path)
    try:
        yield process
    finally:
        _end_group(process)


@contextlib.contextmanager
def serve(
    data_dir: Path,
    *,
    port: int | None = None,
    program: Sequence[str] = (),
    arguments: Sequence[str] = ("--auth", "off"),
    environment: Mapping[str, str] | None = None,
    must_end_cleanly: bool = True,
) -> Iterator[Node]:
    """Run `isocenter serve` on a data folder until the block ends; wait until it is ready.

    On leaving, SIGTERM must end it with code 0 and without a traceback, unless it was ended before on purpose
    (`node.process.kill()`, failpoints) and `must_end_cleanly` says so. `program` is another way to start it, for
    example under strace.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    http_port = port or free_port()
    address = f"127.0.0.1:{http_port}"
    program = program or (str(Path(sys.executable).with_name("isocenter")),)
    command = [*program, "serve", "--data-dir", str(data_dir), "--http", address, *arguments]
    log_path = data_dir.with_name(data_dir.name + ".log")
    with running(command, log_path=log_path, environment=environment) as process:
        node = Node(process, f"http://{address}", data_dir)
        process.wait_until(lambda: answers_ok(f"{node.base_url}/health/ready"))
        yield node
        if must_end_cleanly:
            assert process.popen.poll() is None, f"it ended by itself:\n{process.log()}"
            code = process.terminate()
            assert code == 0, f"SIGTERM ended it with code {code}:\n{process.log()}"
            assert "Traceback" not in process.log(), process.log()


@contextlib.contextmanager
def orthanc(
    folder: Path,
    *,
    ae_title: str = "ORTHANC",
    dicomweb_servers: Mapping[str, str] | None = None,
    configuration: Mapping[str, object] | None = None,
    dicom_port: int | None = None,
) -> Iterator[Orthanc]:
    """Run Debian's Orthanc with its DICOMweb plugin in its default configuration until the block ends.

    `dicomweb_servers` names remote DICOMweb services by address: Orthanc sends to them by STOW-RS and reads from
    them. It cannot bind HTTP to loopback only, so it refuses remote clients instead.
    """
    program, plugin = require("Orthanc"), require_file(_ORTHANC_DICOMWEB)
    folder.mkdir(parents=True, exist_ok=True)
    http_port, dicom_port = free_port(), dicom_port or free_port()
    servers = {name: {"Url": url, "HasDelete": True} for name, url in (dicomweb_servers or {}).items()}
    settings: dict[str, object] = {
        "Name": ae_title,
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "DicomAet": ae_title,
        "DicomPort": dicom_port,
        "HttpPort": http_port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomAlwaysAllowFind": True,
        "DicomAlwaysAllowGet": True,
        "DicomAlwaysAllowMove": True,
        "Plugins": [plugin],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "Servers": servers},
        **(configuration or {}),
    }
    settings_path = folder / "orthanc.json"
    settings_path.write_text(json.dumps(settings, indent=1))
    with running([program, str(settings_path)], log_path=folder / "orthanc.log", cwd=folder) as process:
        peer = Orthanc(process, f"http://127.0.0.1:{http_port}", dicom_port, ae_title)
        process.wait_until(lambda: answers_ok(f"{peer.base_url}/system") and is_listening(dicom_port))
        yield peer


def _end_group(process: Process) -> None:
    if process.popen.poll() is None:
        process.popen.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.popen.wait(STOP_TIMEOUT_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.popen.pid, signal.SIGKILL)
    process.popen.wait(STOP_TIMEOUT_S)


def _end_with_parent() -> Callable[[], object] | None:
    """Return what the child calls before it becomes the program; the library is loaded before the fork."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)

    def prepare() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # what runs in the background of a shell ignores it
        library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)

    return prepare
