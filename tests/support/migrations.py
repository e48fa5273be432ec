"""What tests of migrations share: the command on one job, what its database says, what a node has."""

from __future__ import annotations

import hashlib
import json
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import date, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

from isocenter.app.cli import main
from isocenter.app.migrating.job import Job
from isocenter.app.migrating.records import Totals
from isocenter.domain.identifiers import InstanceIdentifier
from tests.support.command_line import Answer
from tests.support.dicom_files import element
from tests.support.small_instances import make_instance


def run_here(*arguments: str | Path) -> Answer:
    """Run a command within this process, which takes a tenth of the time that one of its own takes to start."""
    out, err = StringIO(), StringIO()
    code: object = None
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as ended:
            code = ended.code
    assert isinstance(code, int)
    assert "Traceback" not in err.getvalue(), err.getvalue()
    assert "should not happen" not in err.getvalue(), err.getvalue()
    return Answer(code, out.getvalue(), err.getvalue())


@dataclass(frozen=True, slots=True)
class Migration:
    """One job, and the commands for it."""

    folder: Path

    def run(self, step: str, *arguments: str | Path) -> Answer:
        """Take a step."""
        return run_here("migrate", step, "--job", self.folder, *arguments)

    def must(self, step: str, *arguments: str | Path) -> str:
        """Take a step that must end well."""
        ended = self.run(step, *arguments)
        assert ended.code == 0, f"{ended.code}: {ended.out}{ended.err}"
        return ended.out

    def told(self, step: str, *arguments: str | Path) -> Any:
        """Take a step and return the JSON that it prints, whatever its exit code."""
        return json.loads(self.run(step, *arguments, "--json").out)

    def totals(self) -> Totals:
        """Return where the instances stand."""
        with Job(self.folder) as job:
            return job.totals()

    def manifest(self) -> list[dict[str, Any]]:
        """Return the lines of the manifest."""
        return [json.loads(line) for line in (self.folder / "manifest.jsonl").read_text().splitlines()]


def write_studies(
    folder: Path, *, studies: int, series: int = 1, instances: int = 1, root: str = "1.2.826.77"
) -> list[InstanceIdentifier]:
    """Write small CT images into a folder, a file for each, and return their identifiers."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for study in range(1, studies + 1):
        for one in range(1, series + 1):
            for number in range(1, instances + 1):
                uid = f"{root}.{study}.{one}.{number}"
                identifier = InstanceIdentifier(f"{root}.{study}", f"{root}.{study}.{one}", uid)
                (folder / f"{study}-{one}-{number}.dcm").write_bytes(dated_instance(identifier, study))
                written.append(identifier)
    return written


def dated_instance(identifier: InstanceIdentifier, study: int) -> bytes:
    """Return a small CT image with a date, a week apart from that of the next study."""
    content = make_instance(identifier, seed=study).content
    modality = element(0x00080060, "CS", b"CT")
    day = (date(2020, 1, 1) + timedelta(weeks=study)).strftime("%Y%m%d").encode()
    return content.replace(modality, element(0x00080020, "DA", day) + modality, 1)


def digests_in(folder: Path) -> dict[str, str]:
    """Return what is in a folder, byte for byte."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
