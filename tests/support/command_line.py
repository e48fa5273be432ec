"""Run `isocenter` as a person would, and read what it printed."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest

from isocenter.app.cli import main

PROGRAM = str(Path(sys.executable).with_name("isocenter"))
TIMEOUT_S = 270.0


@dataclass(frozen=True, slots=True)
class Answer:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str


def run_here(*arguments: str | Path) -> Answer:
    """Run a command to its end in this process, which is quicker than one of its own."""
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    assert isinstance(ended.value.code, int)
    return Answer(ended.value.code, out.getvalue(), err.getvalue())


def must_here(*arguments: str | Path) -> str:
    """Run a command in this process that has to end well, and return what it printed."""
    ended = run_here(*arguments)
    assert ended.code == 0, f"{ended.code}: {ended.out}{ended.err}"
    return ended.out


@dataclass(frozen=True, slots=True)
class CommandLine:
    """The program, with a state folder of its own."""

    state_dir: Path

    def environment(self) -> dict[str, str]:
        """Return the environment of its commands: nothing of the machine's settings."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ISOCENTER_")}
        return {**inherited, "XDG_STATE_HOME": str(self.state_dir), "COLUMNS": "100", "NO_COLOR": "1"}

    def run(self, *arguments: str | Path, answer: str = "") -> Answer:
        """Run a command to its end; `answer` is what the person types."""
        done = subprocess.run(
            [PROGRAM, *map(str, arguments)],
            input=answer,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
            env=self.environment(),
        )
        assert "Traceback" not in done.stdout + done.stderr, done.stderr
        return Answer(done.returncode, done.stdout, done.stderr)

    def must(self, *arguments: str | Path, answer: str = "") -> str:
        """Run a command that must end well, and return what it printed."""
        ended = self.run(*arguments, answer=answer)
        assert ended.code == 0, f"{ended.code}: {ended.out}{ended.err}"
        return ended.out
