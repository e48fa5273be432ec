"""Pages of the documentation that are run: their blocks, a shell for them, and what a page shows of their answers."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts import make_samples
from tests.support.shared_data import REPOSITORY

RUN = frozenset({"sh", "python"})
SHOWN = frozenset({"text", "json"})
WILDCARD = "…"
"""In what a page shows: anything within a line, or lines, where it stands alone in one."""
_END = "\x1e"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

PUBLISHED = {
    "1.2.826.0.1.3680043.8.498.13230779778012324449356534479549187420": make_samples.STUDY_INSTANCE_UID,
    "1.2.826.0.1.3680043.8.498.45787841905473114233124723359129632652": make_samples.SAMPLES[0].series_instance_uid,
    "1.2.826.0.1.3680043.8.498.77033797676425927098669402985243398207": make_samples.SAMPLES[2].series_instance_uid,
    "1.2.826.0.1.3680043.8.498.47359123102728459884412887463296905395": make_samples.SAMPLES[0].sop_instance_uid,
    "1.2.826.0.1.3680043.8.498.12714725698140337137334606354172323212": make_samples.SAMPLES[1].sop_instance_uid,
    "1.2.826.0.1.3680043.8.498.13273713909719068980354078852867170114": make_samples.SAMPLES[2].sop_instance_uid,
    "Anony Mous": "Shapes^Sample",
    "Doctor Doc": "Doc^Doctor",
    str(979 * 985 * 3): str(make_samples.EDGE**2 * 3),
    "979, 985": f"{make_samples.EDGE}, {make_samples.EDGE}",
}
"""What a page says of the published samples, and the same of the drawn ones."""


@dataclass(frozen=True, slots=True)
class Block:
    """What is to be run, and what the page shows of it."""

    language: str
    code: str
    shown: str
    """Empty where the page shows nothing."""


def read_page(name: str, changes: Mapping[str, str]) -> list[Block]:
    """Return the blocks of a page that are run, with some texts changed in them and in what is shown."""
    text = (REPOSITORY / "docs" / name).read_text(encoding="utf-8")
    for old, new in changes.items():
        text = text.replace(old, new)
    found: list[Block] = []
    for language, code in _BLOCK.findall(text):
        if language in RUN:
            found.append(Block(language, code, ""))
        elif language in SHOWN and found and not found[-1].shown:
            found[-1] = Block(found[-1].language, found[-1].code, code)
    return found


def agrees(shown: str, came: str) -> bool:
    """Tell whether what came is what a page shows."""
    return re.fullmatch("".join(map(_line_pattern, shown.strip().splitlines())), came.strip() + "\n") is not None


def _line_pattern(line: str) -> str:
    if line == WILDCARD:
        return r"(?:.*\n)*"
    return re.escape(line).replace(WILDCARD, ".*") + r"\n"


@contextmanager
def shell(folder: Path, environment: Mapping[str, str]) -> Iterator[Callable[[str], str]]:
    """Return a shell that runs block after block, keeps its variables, and fails with the first command that fails."""
    with subprocess.Popen(
        ["bash", "-euo", "pipefail", "-s"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env=dict(environment),
    ) as process:
        stdin, stdout = process.stdin, process.stdout
        assert stdin is not None
        assert stdout is not None

        def run(code: str) -> str:
            stdin.write(f"{{\n{code}\n}} </dev/null\nprintf '\\036'\n")
            stdin.flush()
            came = ""
            while not came.endswith(_END):
                letter = stdout.read(1)
                assert letter, f"it failed:\n{code}\n{came}"
                came += letter
            return came.removesuffix(_END)

        yield run
        stdin.close()


def run_python(program: str, blocks: list[Block], folder: Path, environment: Mapping[str, str]) -> list[str]:
    """Run blocks of Python as one program and return what each printed."""
    code = "".join(f"{block.code}\nprint(end={_END!r}, flush=True)\n" for block in blocks)
    done = subprocess.run(
        [program, "-W", "error", "-c", code],
        cwd=folder,
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.split(_END)[:-1]
