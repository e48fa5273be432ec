"""Check the project stage by stage, say what each looked at, and repeat the first failure at the end."""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
BIN = Path(".venv/bin")
WHEEL_FOLDER = Path("build/wheel")
OUTPUT_LINES_MAX = 60
"""Of a failed stage, when it fails; its command shows the rest."""
REPEATED_LINES_MAX = 20
"""Of the first failure, at the end: what fits above the prompt."""

EXPLANATION = """
sets of stages:
  fast     format lint types contracts tidy unit      while you work
  (none)   fast + conformance docs wheel              before you hand in
  full     all of them + interop e2e browser durability    with other people's programs
  static   format lint types contracts wheel          what needs no test run
  fix      mend what a machine can mend: lint, then format

Name stages to run only those: ./check lint types
"""


@dataclass(frozen=True)
class Finding:
    """What a stage did."""

    is_ok: bool
    looked_at: str
    """For a person, for example `41 files`; a stage that looked at nothing has failed."""
    output: str
    rerun: str


@dataclass(frozen=True)
class Stage:
    """A named step."""

    name: str
    run: Callable[[], Finding]


def main(arguments: Sequence[str]) -> int:
    """Run the stages that are asked for and return the exit code."""
    os.chdir(REPOSITORY)
    names = [*STAGES, *SETS, "fix"]
    parser = argparse.ArgumentParser(
        prog="./check", description=__doc__, epilog=EXPLANATION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="*", metavar="WHAT", help=f"a set or stages: {', '.join(names)}")
    wanted: list[str] = parser.parse_args(arguments).what
    unknown = [name for name in wanted if name not in names]
    if unknown:
        parser.error(f"there is no stage or set {unknown[0]!r}; choose from {', '.join(names)}")
    if wanted == ["fix"]:
        return _fix()
    chosen = [stage for name in wanted or ["default"] for stage in SETS.get(name, (name,))]
    return _run([STAGES[name] for name in dict.fromkeys(chosen)])


def _run(stages: Sequence[Stage]) -> int:
    started = time.monotonic()
    first: tuple[Stage, Finding] | None = None
    failed: list[str] = []
    for stage in stages:
        stage_started = time.monotonic()
        finding = stage.run()
        word = _paint("ok", 32) if finding.is_ok else _paint("FAILED", 31)
        seconds = time.monotonic() - stage_started
        print(f"{stage.name:12}{seconds:7.1f} s  {word:{15 if _COLOURS else 6}}  {finding.looked_at}", flush=True)
        if not finding.is_ok:
            print(_indent(_tail(finding.output, OUTPUT_LINES_MAX)), flush=True)
            failed.append(stage.name)
            first = first or (stage, finding)
    total = time.monotonic() - started
    if first is None:
        print(f"\nAll {len(stages)} stages passed in {total:.1f} s.")
        return 0
    stage, finding = first
    print(f"\n{len(failed)} of {len(stages)} stages failed in {total:.1f} s: {', '.join(failed)}.")
    print(f"The first, {stage.name}:")
    print(_indent(_tail(finding.output, REPEATED_LINES_MAX)))
    print(f"\nRun it alone:  {finding.rerun}")
    return 1


def _fix() -> int:
    lint = subprocess.run([BIN / "ruff", "check", "--fix", "."], check=False).returncode
    return max(lint, subprocess.run([BIN / "ruff", "format", "."], check=False).returncode)


def _call(*command: str | Path, environment: dict[str, str] | None = None) -> tuple[int, str]:
    done = subprocess.run(
        [str(part) for part in command],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "NO_COLOR": "1", **(environment or {})},
    )
    return done.returncode, done.stdout


def _finding(code: int, output: str, *, count: int, looked_at: str, rerun: str) -> Finding:
    if code == 0 and count == 0:
        return Finding(False, "nothing to look at, which is a failure", output, rerun)
    return Finding(code == 0, looked_at, output, rerun)


def _number(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    return int(found.group(1)) if found else 0


def _ruff_files() -> int:
    code, output = _call(BIN / "ruff", "check", "--show-files", ".")
    return len([line for line in output.splitlines() if line.endswith((".py", ".pyi"))]) if code == 0 else 0


def check_format() -> Finding:
    """Look whether every file is formatted."""
    code, output = _call(BIN / "ruff", "format", "--check", "--output-format", "concise", ".")
    count = _ruff_files()
    return _finding(code, output, count=count, looked_at=f"{count} files", rerun="./check fix")


def check_lint() -> Finding:
    """Look for what the linter knows."""
    code, output = _call(BIN / "ruff", "check", "--output-format", "concise", ".")
    count = _ruff_files()
    return _finding(code, output, count=count, looked_at=f"{count} files", rerun=".venv/bin/ruff check .")


def check_types() -> Finding:
    """Look whether the types hold."""
    code, output = _call(BIN / "mypy")
    count = _number(r"(?:checked|no issues found in) (\d+) source files", output)
    return _finding(code, output, count=count, looked_at=f"{count} files", rerun=".venv/bin/mypy")


def check_contracts() -> Finding:
    """Look whether imports only go down the floors."""
    code, output = _call(BIN / "lint-imports", "--no-cache", "--no-logo")
    files = _number(r"Analyzed (\d+) files", output)
    imports = _number(r"files, (\d+) dependencies", output)
    contracts = _number(r"Contracts: (\d+) kept", output) + _number(r"kept, (\d+) broken", output)
    looked_at = f"{contracts} contracts, {files} files, {imports} imports"
    report = output[output.find("Contracts\n") :]
    return _finding(code, report, count=min(files, contracts), looked_at=looked_at, rerun=".venv/bin/lint-imports")


def check_wheel() -> Finding:
    """Build the wheel, install it where only the locked run-time packages are, and import it there."""
    rerun = "./check wheel"
    code, output = _call(BIN / "python", "-m", "build", "--wheel", "--no-isolation", "--outdir", WHEEL_FOLDER)
    wheels = sorted(WHEEL_FOLDER.glob("*.whl"), key=lambda path: path.stat().st_mtime)
    if code != 0 or not wheels:
        return Finding(False, "the wheel was not built", output, rerun)
    lock = Path("requirements/run.lock")
    venv = Path("build") / f"venv-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    if not (venv / "locked").exists():
        prepare: tuple[tuple[str | Path, ...], ...] = (
            (sys.executable, "-m", "venv", "--clear", venv),
            (venv / "bin/pip", "install", "--quiet", "--require-hashes", "-r", lock),
        )
        for command in prepare:
            code, output = _call(*command)
            if code != 0:
                return Finding(False, "the locked packages do not install", output, rerun)
        (venv / "locked").touch()
    size_kb = wheels[-1].stat().st_size // 1000
    looked_at = f"{wheels[-1].name} ({size_kb} kB) in a venv with the locked packages only"
    use: tuple[tuple[str | Path, ...], ...] = (
        (venv / "bin/pip", "install", "--quiet", "--force-reinstall", "--no-deps", wheels[-1]),
        (venv / "bin/python", "-I", "-c", _IMPORT_EVERYTHING),
        (venv / "bin/isocenter", "--help"),
    )
    for command in use:
        code, output = _call(*command)
        if code != 0:
            return Finding(False, looked_at, output, rerun)
    return Finding(True, looked_at, output, rerun)


_IMPORT_EVERYTHING = """
import importlib, pkgutil, isocenter
assert "site-packages" in isocenter.__file__, isocenter.__file__
for module in pkgutil.walk_packages(isocenter.__path__, "isocenter."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""


def _pytest(*arguments: str) -> Callable[[], Finding]:
    def run() -> Finding:
        code, output = _call(BIN / "pytest", "-q", *arguments)
        counts = {
            word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|error|skipped|xfailed)", output)
        }
        total = sum(counts.values())
        looked_at = f"{total} tests"
        if counts.get("skipped"):
            looked_at += f", {counts['skipped']} of them SKIPPED for want of a real part"
        seed = re.search(r"randomly-seed=(\d+)", output)
        failed = re.search(r"^(?:FAILED|ERROR) (\S+)", output, re.MULTILINE)
        what = [shlex.quote(part) for part in ((failed.group(1),) if failed else arguments)]
        order = [f"--randomly-seed={seed.group(1)}"] if seed and failed else []
        rerun = " ".join([".venv/bin/pytest", *what, *order])
        return _finding(code if code != _PYTEST_NOTHING else 0, output, count=total, looked_at=looked_at, rerun=rerun)

    return run


_PYTEST_NOTHING = 5


def _tail(text: str, lines_max: int) -> str:
    lines = text.strip().splitlines()
    if len(lines) <= lines_max:
        return "\n".join(lines)
    return "\n".join([f"… {len(lines) - lines_max} lines before", *lines[-lines_max:]])


def _indent(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


_COLOURS = sys.stdout.isatty() and "NO_COLOR" not in os.environ


def _paint(text: str, colour: int) -> str:
    return f"\033[{colour}m{text}\033[0m" if _COLOURS else text


STAGES = {
    stage.name: stage
    for stage in (
        Stage("format", check_format),
        Stage("lint", check_lint),
        Stage("types", check_types),
        Stage("contracts", check_contracts),
        Stage("tidy", _pytest("tests/tidy")),
        Stage("unit", _pytest("tests/unit")),
        Stage("conformance", _pytest("tests/conformance")),
        Stage("docs", _pytest("tests/docs")),
        Stage("wheel", check_wheel),
        Stage("interop", _pytest("tests/interop")),
        Stage("e2e", _pytest("tests/e2e")),
        Stage("browser", _pytest("tests/browser")),
        Stage("durability", _pytest("tests/durability")),
    )
}
_FAST = ("format", "lint", "types", "contracts", "tidy", "unit")
SETS = {
    "fast": _FAST,
    "default": (*_FAST, "conformance", "docs", "wheel"),
    "static": ("format", "lint", "types", "contracts", "wheel"),
    "full": tuple(STAGES),
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
