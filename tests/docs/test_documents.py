"""What the documents say about commands, packages and files is true."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

from tests.support.shared_data import REPOSITORY

DOCUMENTS = ("README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "SECURITY.md", "docs/README.md")
COMMANDS = (
    "serve", "demo", "echo", "store", "find", "get", "move", "delete", "commit", "commitments", "worklist", "app",
    "user", "role", "tenant", "token", "certificate", "audit", "export", "reindex", "scrub", "doctor", "config",
    "rule", "migrate", "test-connection", "faults", "channel", "destination", "delivery", "routing", "prefetch",
    "completeness", "fhir", "modality",
)  # fmt: skip


def _text(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


@cache
def _help(*arguments: str) -> str:
    program = Path(sys.executable).with_name("isocenter")
    done = subprocess.run([str(program), *arguments, "--help"], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_make_target_of_a_document_exists(document: str) -> None:
    named = set(re.findall(r"(?:`|^)make ([a-z][a-z-]*)", _text(document), re.MULTILINE))
    targets = set(re.findall(r"^([a-z-]+):", _text("Makefile"), re.MULTILINE))
    assert named <= targets


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_file_of_the_package_that_a_document_names_exists(document: str) -> None:
    rooms = "|".join(path.parent.name for path in (REPOSITORY / "src/isocenter").glob("*/__init__.py"))
    named = re.findall(rf"`((?:{rooms})/[\w/.]+)`", _text(document))
    assert [name for name in named if not (REPOSITORY / "src/isocenter" / name).exists()] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_promised_command_is_there_and_describes_itself(command: str) -> None:
    assert re.search(rf"^\s+{command}\b", _help(), re.MULTILINE), _help()
    assert "Usage:" in _help(command)


def test_readme_lists_the_commands_of_the_program() -> None:
    section = _text("README.md").partition("\n## Commands\n")[2].partition("\n## ")[0]
    listed = {name.split()[0] for name in re.findall(r"^\| `([a-z -]+)` \|", section, re.MULTILINE)}
    offered = set(re.findall(r"^  ([a-z][a-z-]*)  +[A-Z]", _help(), re.MULTILINE))
    assert listed == offered == set(COMMANDS)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_line_of_a_document_is_understood(document: str) -> None:
    for command, rest in re.findall(r"^\.venv/bin/isocenter ([a-z-]+)(.*)$", _text(document), re.MULTILINE):
        options = re.findall(r"(?<=\s)--?[a-z][a-z-]*", rest)
        words = rest.split()
        is_group = "COMMAND [ARGS]" in _help(command)
        text = _help(command, words[0]) if is_group else _help(command)
        assert [option for option in options if option not in text] == [], command


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_setting_that_a_document_names_is_there(document: str) -> None:
    rows = _text("src/isocenter/app/settings_table.py")
    named = re.findall(r"`((?:http|archive|storage|viewer|log)\.[a-z_]+)`", _text(document))
    assert [name for name in named if f'"{name}"' not in rows] == []


def test_every_run_time_dependency_has_its_line() -> None:
    project = tomllib.loads(_text("pyproject.toml"))["project"]
    wanted = [re.split(r"[^\w-]", requirement)[0] for requirement in project["dependencies"]]
    listed = re.findall(r"^\| ([\w-]+) \|", _text("docs/dependencies.md"), re.MULTILINE)
    assert [name for name in listed if name != "package"] == sorted(wanted)


def test_every_run_time_dependency_is_used() -> None:
    project = tomllib.loads(_text("pyproject.toml"))["project"]
    imported = {"pillow": "PIL", "prometheus-client": "prometheus_client", "pyjwt": "jwt"}
    loaded_by_uvicorn = {"httptools", "uvloop"}
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "src").rglob("*.py"))
    names = [re.split(r"[^\w-]", requirement)[0] for requirement in project["dependencies"]]
    modules = {name: imported.get(name, name) for name in names if name not in loaded_by_uvicorn}
    used = {
        name for name, module in modules.items() if re.search(rf"^\s*(?:from|import) {module}\b", sources, re.MULTILINE)
    }
    assert sorted(modules.keys() - used) == []


def test_every_dependency_is_locked() -> None:
    project = tomllib.loads(_text("pyproject.toml"))["project"]
    wanted = {re.split(r"[^\w-]", requirement)[0].lower() for requirement in project["dependencies"]}
    locked = set(re.findall(r"^([\w.-]+)==", _text("requirements/run.lock"), re.MULTILINE))
    assert wanted <= locked
    assert "http" not in _text("requirements/run.lock").replace("httpx", "").replace("httptools", "").replace(
        "httpcore", ""
    )


def test_every_decision_is_in_the_list() -> None:
    listed = set(re.findall(r"\((\d{4}-[\w-]+\.md)\)", _text("docs/decisions/README.md")))
    assert listed == {path.name for path in (REPOSITORY / "docs/decisions").glob("[0-9]*.md")}
