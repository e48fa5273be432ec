"""A migration that is killed again and again, at any moment of any step, and one whose target goes away for a while."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
from pathlib import Path

import httpx
import pytest

from isocenter.app.migrating.job_database import DATABASE
from tests.support.command_line import PROGRAM, CommandLine
from tests.support.migrations import Migration, digests_in, write_studies
from tests.support.processes import free_port, running, serve

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

KILLS = 30
SEED = 20261121
LIFE_S = (0.3, 2.5)
"""From before the job is opened to about the end of a run."""


def test_a_migration_that_is_killed_at_any_moment_ends_with_everything_once(tmp_path: Path) -> None:
    source, numbers = tmp_path / "source", random.Random(SEED)
    written = write_studies(source, studies=60, series=2, instances=2)
    before = digests_in(source)
    migration = Migration(tmp_path / "job")
    environment = CommandLine(tmp_path / "state").environment()
    with serve(tmp_path / "data") as node:
        command = [PROGRAM, "migrate", "run", "--job", str(migration.folder), "--instances-per-s", "30"]
        command += ["--from", str(source), "--to", node.base_url, "--seed", "1"]
        for kill in range(KILLS):
            with running(command, log_path=tmp_path / f"run-{kill}.log", environment=environment) as process:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.popen.wait(numbers.uniform(*LIFE_S))
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.popen.wait(30)
            if (migration.folder / DATABASE).exists() and (migration.folder / DATABASE).stat().st_size:
                totals = migration.totals()
                assert totals.instances == sum(totals.by_state.values())
        migration.must("run", "--from", source, "--to", node.base_url, "--level", "4")
        rows = httpx.get(f"{node.dicomweb_url}/instances", params={"limit": 1000}, timeout=60).json()
    assert sorted(row["00080018"]["Value"][0] for row in rows) == sorted(one.sop_instance_uid for one in written)
    assert migration.totals().delivered == len(written)
    assert digests_in(source) == before
    # What was sent more than once is what a kill caught on its way, and says so.
    assert {line["attempts"] for line in migration.manifest()[1:-1]} <= set(range(1, KILLS + 2))


def test_a_migration_waits_for_a_target_that_comes_back(tmp_path: Path) -> None:
    source, port = tmp_path / "source", free_port()
    written = write_studies(source, studies=20, instances=2)
    migration = Migration(tmp_path / "job")
    address = f"http://127.0.0.1:{port}"
    command = [PROGRAM, "migrate", "move", "--job", str(migration.folder), "--instances-per-s", "8"]
    environment = CommandLine(tmp_path / "state").environment()
    with serve(tmp_path / "data", port=port, must_end_cleanly=False) as node:
        migration.must("assess", "--from", source, "--to", address)
        migration.must("plan")
        with running(command, log_path=tmp_path / "move.log", environment=environment) as process:
            process.wait_until(lambda: migration.totals().delivered >= 4)
            node.process.kill()
            with serve(tmp_path / "data", port=port):
                assert process.popen.wait(90) == 0, process.log()
    assert migration.totals().delivered == len(written)
