"""Real parts that a test needs: other people's programs and packages.

A part that is missing is a loud skip on a laptop and a failure where the variable CI is set, so that
a green run of CI means that every part was there.
"""

from __future__ import annotations

import importlib
import os
import shutil
from types import ModuleType
from typing import NoReturn

import pytest

INSTALL_HINT = "run scripts/install_peers.sh"
MISSING_PREFIX = "missing real part: "
"""Begins the reason of each such skip; the closing lines of a run repeat them."""


def is_ci() -> bool:
    """Tell whether this run must not leave anything out."""
    return os.environ.get("CI", "").lower() not in {"", "0", "false", "no"}


def missing(reason: str) -> NoReturn:
    """Skip the test loudly on a laptop; fail it in CI."""
    if is_ci():
        pytest.fail(MISSING_PREFIX + reason, pytrace=False)
    pytest.skip(MISSING_PREFIX + reason)


def not_possible_here(reason: str) -> NoReturn:
    """Skip loudly, in CI too: the machine itself cannot do this (no root, no loop device)."""
    pytest.skip(MISSING_PREFIX + reason)


def require(tool: str) -> str:
    """Return the path of a program, for example `require("storescu")`."""
    path = shutil.which(tool)
    if path is None:
        missing(f"the program {tool} is not installed; {INSTALL_HINT}")
    return path


def require_file(path: str) -> str:
    """Return the path of a file that a Debian package brings, for example Orthanc's DICOMweb plugin."""
    if not os.path.exists(path):
        missing(f"the file {path} is not there; {INSTALL_HINT}")
    return path


def require_module(name: str) -> ModuleType:
    """Return a Python package that only tests use, for example `require_module("dicomweb_client")`."""
    try:
        return importlib.import_module(name)
    except ImportError:
        missing(f"the Python package {name} is not installed; run make install-dev")
