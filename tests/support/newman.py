"""newman, the runner of Postman's collections."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.peers import missing, require
from tests.support.shared_data import REPOSITORY

SCRIPT = Path("work/peers/newman/node_modules/newman/bin/newman.js")
COLLECTION = REPOSITORY / "docs/postman/isocenter.postman_collection.json"
TIMEOUT_S = 110
"""A run takes ten seconds; below the limit that a test has."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check of one answer."""

    request: str
    name: str
    failure: str
    """Why it failed, empty where it did not."""


def run_collection(
    folder: Path, *, working_dir: Path, variables: Mapping[str, str], authority: Path | None = None
) -> list[Check]:
    """Run the collection once and return every check in its order; requests that were left out have none."""
    node, script = require("node"), REPOSITORY / SCRIPT
    if not script.is_file():
        missing("newman is not installed; run scripts/install_peers.sh")
    report = folder / "newman.json"
    command = [node, str(script), "run", str(COLLECTION), "--working-dir", str(working_dir)]
    command += ["--reporters", "json", "--reporter-json-export", str(report), "--timeout-request", "20000"]
    if authority is not None:
        command += ["--ssl-extra-ca-certs", str(authority)]
    for name, value in variables.items():
        command += ["--env-var", f"{name}={value}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert report.is_file(), done.stdout + done.stderr
    executions = json.loads(report.read_text(encoding="utf-8"))["run"]["executions"]
    return [
        Check(execution["item"]["name"], one["assertion"], one.get("error", {}).get("message", ""))
        for execution in executions
        for one in execution.get("assertions", [])
    ]
