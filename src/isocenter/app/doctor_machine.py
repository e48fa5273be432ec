"""Checks of the machine and the installation: libraries, codecs, viewer, ports, limits."""

from __future__ import annotations

import importlib.metadata
import platform
import resource
import socket
import sys

from isocenter import __version__
from isocenter.app.doctor import Check, Finding, State, fail, ok, warn
from isocenter.app.http_listeners import require_safe
from isocenter.app.setting_kinds import Address
from isocenter.app.settings import Settings
from isocenter.domain.errors import IsocenterError

PYTHON_MIN = (3, 11)
SQLITE_MIN = (3, 51, 3)
"""Older ones can corrupt a database in WAL mode (the WAL-reset bug, 3.7.0 to 3.51.2)."""
PYDICOM_MIN = (3, 0, 2)
"""Older ones have known vulnerabilities."""
FILE_DESCRIPTORS_MIN = 2048
"""1,000 connections, 128 open packs, the index, and room to spare."""
HEALTH_TIMEOUT_S = 2.0
COMMON_SYNTAXES = tuple(
    "1.2.840.10008.1.2" + ending
    for ending in ("", ".1", ".5", ".4.50", ".4.51", ".4.57", ".4.70", ".4.80", ".4.81", ".4.90", ".4.91", ".4.201")
)
"""Native, RLE, JPEG, JPEG-LS, JPEG 2000, HTJ2K: what scanners and archives send."""
LIBRARIES = (
    "apsw",
    "pydicom",
    "cryptography",
    "pyjwt",
    "imagecodecs",
    "numpy",
    "starlette",
    "uvicorn",
    "httpx",
    "orjson",
    "xxhash",
)


def check_python(settings: Settings) -> Finding:
    """Look at the interpreter and this program."""
    found = f"isocenter {__version__}, {platform.python_implementation()} {platform.python_version()}, {sys.platform}"
    if sys.version_info[:2] < PYTHON_MIN:
        return fail(found, f"Install Python {'.'.join(map(str, PYTHON_MIN))} or later.")
    return ok(found)


def check_libraries(settings: Settings) -> Finding:
    """Look at the versions of libraries that safety depends on."""
    import apsw

    sqlite = apsw.sqlite_lib_version()
    versions = {name: importlib.metadata.version(name) for name in LIBRARIES}
    listed = f"SQLite {sqlite}, " + ", ".join(f"{name} {version}" for name, version in versions.items())
    if _numbers(sqlite) < SQLITE_MIN:
        return fail(listed, "Install apsw 3.51.3 or later: this SQLite can corrupt its database.")
    if _numbers(versions["pydicom"]) < PYDICOM_MIN:
        return fail(listed, "Install pydicom 3.0.2 or later.")
    return ok(listed)


def check_settings(settings: Settings) -> Finding:
    """Say which settings are not the default, and where they come from."""
    chosen = [f"{setting.name}={text} ({origin})" for setting, text, origin in settings.rows() if origin != "default"]
    file = str(settings.config_file) if settings.config_file else "no settings file"
    return ok(f"{file}; " + ("; ".join(chosen) if chosen else "every value is the default"))


def check_file_descriptors(settings: Settings) -> Finding:
    """Look at the limit on open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    found = f"{soft} open files allowed (up to {hard} can be asked for)"
    if soft != resource.RLIM_INFINITY and soft < FILE_DESCRIPTORS_MIN:
        return warn(found, f"Raise it before starting the node: ulimit -n {FILE_DESCRIPTORS_MIN * 2}.")
    return ok(found)


def check_codecs(settings: Settings) -> Finding:
    """Look whether frames of every transfer syntax can be decoded."""
    from isocenter.dicom.codecs import can_decode
    from isocenter.dicom.syntax import TRANSFER_SYNTAXES

    images = [syntax for syntax in TRANSFER_SYNTAXES if not syntax.is_video]
    decoded = sum(can_decode(syntax.uid) for syntax in images)
    found = f"{decoded} of {len(images)} transfer syntaxes for images can be decoded, the rest is given as it is stored"
    if not all(can_decode(uid) for uid in COMMON_SYNTAXES):
        return fail(found, "Install isocenter again: a codec that every node needs is missing.")
    return ok(found)


def check_viewer(settings: Settings) -> Finding:
    """Look whether the viewer is installed."""
    from isocenter.web.viewer_assets import DEFAULT_ARCHIVE

    if not DEFAULT_ARCHIVE.is_file():
        return warn("the viewer is not installed; everything else works", "Run `make install` in a checkout.")
    return ok(f"installed, {DEFAULT_ARCHIVE.stat().st_size / 1e6:.1f} MB")


def check_port(settings: Settings) -> Finding:
    """Look whether the ports are free, or held by a node of ours."""
    try:
        require_safe(settings)
    except IsocenterError as error:
        return fail("a node would refuse to listen so", error.message)
    findings = [_port_finding(settings, address) for address in settings.http.addresses]
    worst = max(findings, key=lambda found: list(State).index(found.state))
    return Finding(worst.state, "; ".join(found.finding for found in findings), worst.remedy)


def _port_finding(settings: Settings, listen: Address) -> Finding:
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((listen.host, listen.port))
        except OSError as error:
            return _who_holds(settings, listen, error)
    return ok(f"{listen} is free")


def _who_holds(settings: Settings, listen: Address, error: OSError) -> Finding:
    import httpx

    uses_tls = listen is settings.http.tls_listen
    scheme, flag = ("https", "--https") if uses_tls else ("http", "--http")
    try:
        # Whether it is a node is all that is asked, and nothing is told; its certificate may be of its own authority.
        answer = httpx.get(f"{scheme}://{listen}/health/ready", timeout=HEALTH_TIMEOUT_S, verify=False)  # noqa: S501
        if "ready" in answer.json():
            return ok(f"a node of ours answers on {listen}")
    except (httpx.HTTPError, ValueError):
        pass
    return warn(f"{listen} cannot be had: {error.strerror}", f"Stop what listens there, or choose another with {flag}.")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())


CHECKS = (
    Check("python", check_python),
    Check("libraries", check_libraries),
    Check("settings", check_settings),
    Check("file descriptors", check_file_descriptors),
    Check("codecs", check_codecs),
    Check("viewer", check_viewer),
    Check("port", check_port),
)
