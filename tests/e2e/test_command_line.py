"""The commands, as a person runs them, against a started node."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from isocenter.app.cli import COMMANDS
from isocenter.modality.workload import WorkloadInstance, WorkloadShape, write_workload
from tests.support.command_line import PROGRAM, CommandLine
from tests.support.processes import Node, free_port, running, serve
from tests.support.shared_data import shared_data

SMALL = WorkloadShape("small", studies=3, series=2, instances=4, rows=16, columns=16)
MANY = WorkloadShape("many", studies=6, series=1, instances=200, rows=16, columns=16)


@pytest.fixture
def command_line(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path / "state")


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with serve(tmp_path / "node") as started:
        yield started


@pytest.fixture
def sources(tmp_path: Path) -> list[WorkloadInstance]:
    return write_workload(tmp_path / "sources", SMALL)


def _folder(tmp_path: Path) -> Path:
    return tmp_path / "sources" / SMALL.name


def _digests(folder: Path) -> list[str]:
    return sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*.dcm"))


# ---- the program itself


def test_overview_names_every_command_under_its_heading_with_two_examples(command_line: CommandLine) -> None:
    out = command_line.must("--help")
    headings = [line.rstrip(":") for line in out.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert headings == [
        "Options",
        "Run",
        "Move images",
        "Plan work",
        "Route images",
        "Practise outages",
        "Say who may call",
        "Look after the archive",
        "Examples",
    ]
    for entry in COMMANDS:
        assert f"  {entry.name} " in out
        assert entry.line in out
    assert sum(line.startswith("  isocenter ") for line in out.splitlines()) == 2
    assert max(map(len, out.splitlines())) <= 110


def test_overview_loads_no_command_and_no_large_library() -> None:
    script = (
        "import sys\nfrom isocenter.app.cli import _run\n_run(['--help'], is_debug=False)\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)\n"
        "print(*sorted(name for name in sys.modules if name.startswith('isocenter.')), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded, ours = (set(line.split()) for line in done.stderr.splitlines())
    assert loaded & {"httpx", "numpy", "rich", "pydicom", "apsw", "starlette", "uvicorn", "asyncio"} == set()
    assert ours == {"isocenter.app", "isocenter.app.cli", "isocenter.domain", "isocenter.domain.errors"}


@pytest.mark.parametrize("name", [entry.name for entry in COMMANDS if entry.name != "config"])
def test_every_command_describes_itself_with_an_example(command_line: CommandLine, name: str) -> None:
    out = command_line.must(name, "--help")
    assert "Examples:" in out
    assert f"  isocenter {name}" in out.split("Examples:")[1]


def test_an_unknown_command_is_wrong_usage_with_the_nearest_name(command_line: CommandLine) -> None:
    ended = command_line.run("stor")
    assert ended.code == 2
    assert "Did you mean 'store'?" in ended.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["serve", "--set", "http.lisen=x"], 2, "did you mean http.listen?"),
        (["serve", "--http", "8080"], 2, "expected is HOST:PORT"),
        (["serve", "--http", "0.0.0.0:8080"], 1, "Listen on 127.0.0.1"),
        (["serve", "--set", "level"], 2, "--set takes NAME=VALUE"),
        (["serve", "--http", "127.0.0.1:1", "--set", "http.listen=127.0.0.1:2"], 2, "given twice"),
        (["store", "/nothing/there"], 2, "does not exist"),
        (["find", "PatientID"], 2, "is not KEY=VALUE"),
        (["find", "--from", "archive:8080"], 2, "begins with http://"),
        (["find", "--from", "http://127.0.0.1:1"], 3, "Nothing answers"),
        (["get", "../..", "-o", "x"], 2, "is not STUDY"),
        (["export", "--to", "x"], 2, "--all"),
        (["reindex", "--data-dir", "/nothing/there"], 1, "There is no archive"),
        (["scrub", "--data-dir", "/nothing/there"], 1, "There is no archive"),
    ],
)
def test_what_goes_wrong_ends_with_its_code_and_a_sentence(
    command_line: CommandLine, tmp_path: Path, arguments: list[str], code: int, words: str
) -> None:
    data_dir = ["--data-dir", str(tmp_path / "data")] if arguments[0] == "serve" else []
    ended = command_line.run(*arguments, *data_dir)
    assert (ended.code, ended.out) == (code, "")
    assert words in ended.err


def test_debug_shows_where_an_error_came_from() -> None:
    command = [PROGRAM, "find", "--from", "http://127.0.0.1:1", "--debug"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Traceback" in done.stderr


def test_config_show_tells_values_and_origins(command_line: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "isocenter.toml").write_text("[storage]\nreserve_bytes = '64MiB'\n")
    out = command_line.must("config", "show", "--data-dir", tmp_path, "--set", "log.level=debug", "--json")
    shown = json.loads(out)
    assert shown["log.level"] == {"value": "debug", "origin": "flag"}
    assert shown["storage.reserve_bytes"] == {"value": "64MiB", "origin": f"file ({tmp_path / 'isocenter.toml'})"}


def test_config_show_writes_a_file_that_gives_the_same_values(command_line: CommandLine, tmp_path: Path) -> None:
    written = command_line.must("config", "show", "--data-dir", "here", "--set", "log.level=debug", "--toml")
    (tmp_path / "written.toml").write_text(written)
    again = json.loads(command_line.must("config", "show", "--config", tmp_path / "written.toml", "--json"))
    assert again["log.level"]["value"] == "debug"
    assert again["data_dir"]["value"] == str(Path("here").absolute())
    assert again["http.listen"]["origin"] == "default"


# ---- moving images


def test_stored_files_are_found_fetched_byte_for_byte_and_deleted(
    command_line: CommandLine, node: Node, sources: list[WorkloadInstance], tmp_path: Path
) -> None:
    assert "24 stored, 0 identical, 0 refused, 0 skipped." in command_line.must(
        "store", _folder(tmp_path), "--to", node.base_url
    )
    first = sources[0]
    found = json.loads(command_line.must("find", "--from", node.base_url, f"PatientID={first.pid}", "--json"))
    assert [row["0020000D"]["Value"] for row in found] == [[first.study]]
    instances = command_line.must(
        "find", "--from", node.dicomweb_url, "--level", "instance", f"StudyInstanceUID={first.study}"
    )
    assert len(instances.splitlines()) == 1 + 8
    studies = sorted({source.study for source in sources})
    out = command_line.must("get", *studies, "--from", node.base_url, "-o", tmp_path / "fetched")
    assert out.startswith("Wrote 24 files")
    assert _digests(tmp_path / "fetched") == _digests(_folder(tmp_path))
    path = tmp_path / "fetched" / first.study / first.series / f"{first.sop}.dcm"
    assert path.is_file()
    assert command_line.run("delete", first.study, "--from", node.base_url, answer="n\n").code == 1
    assert command_line.must("delete", first.study, "--from", node.base_url, answer="y\n")
    ended = command_line.run("delete", first.study, "--from", node.base_url, "--yes")
    assert (ended.code, "no study of that UID" in ended.err) == (1, True)
    left = command_line.must("find", "--from", node.base_url)
    assert first.study not in left
    assert len(left.splitlines()) == 1 + 2


def test_get_fetches_what_is_missing_and_overwrites_nothing(
    command_line: CommandLine, node: Node, sources: list[WorkloadInstance], tmp_path: Path
) -> None:
    command_line.must("store", _folder(tmp_path), "--to", node.base_url)
    study, fetched = sources[0].study, tmp_path / "fetched"
    get = ("get", study, "--from", node.base_url, "-o", fetched)
    command_line.must(*get)
    files = sorted(fetched.rglob("*.dcm"))
    files[0].unlink()
    files[1].write_bytes(b"mine")
    assert command_line.must(*get).startswith("Wrote 1 file,")
    assert files[0].is_file()
    assert files[1].read_bytes() == b"mine"
    ended = command_line.run("get", "1.2.3", "--from", node.base_url, "-o", fetched)
    assert (ended.code, "no study of that UID" in ended.err) == (1, True)


def test_store_sends_only_what_the_archive_has_not_acknowledged(
    command_line: CommandLine, node: Node, sources: list[WorkloadInstance], tmp_path: Path
) -> None:
    store = ("store", _folder(tmp_path), "--to", node.base_url)
    command_line.must(*store)
    assert "0 stored, 0 identical, 0 refused, 24 skipped (24 sent before)." in command_line.must(*store)
    assert "24 stored" in command_line.must(*store, "--again")
    other = write_workload(tmp_path / "others", SMALL, seed=2)
    (_folder(tmp_path) / "new.dcm").write_bytes((tmp_path / "others" / other[0].path).read_bytes())
    assert "1 stored, 0 identical, 0 refused, 24 skipped" in command_line.must(*store)
    assert "25 skipped (25 sent before)" in command_line.must(*store)


def test_store_sends_everything_to_an_archive_that_was_begun_anew_at_the_same_address(
    command_line: CommandLine, sources: list[WorkloadInstance], tmp_path: Path
) -> None:
    port = free_port()
    for name in ("one", "other"):
        with serve(tmp_path / name, port=port) as node:
            ended = command_line.run("store", _folder(tmp_path), "--to", node.base_url)
            assert (ended.code, f"{len(sources)} stored" in ended.out) == (0, True)
            assert ("no longer has" in ended.err) is (name == "other")


def test_store_skips_what_is_not_dicom_and_tells_what_was_refused(
    command_line: CommandLine, node: Node, sources: list[WorkloadInstance], tmp_path: Path
) -> None:
    folder = _folder(tmp_path)
    (folder / "notes.txt").write_text("hello")
    damaged = (_folder(tmp_path).parent / sources[0].path).read_bytes()[:300]
    (folder / "damaged.dcm").write_bytes(damaged)
    dry = command_line.must("store", folder, "--dry-run", "--list-skipped")
    assert f"skipped: {folder / 'notes.txt'}" in dry
    assert "Would send 25 instances" in dry
    ended = command_line.run("store", folder, "--to", node.base_url)
    assert ended.code == 1
    assert "24 stored, 0 identical, 1 refused, 1 skipped (1 not DICOM)." in ended.out
    assert f"failed: {folder / 'damaged.dcm'}: " in ended.err
    again = command_line.run("store", folder, "--to", node.base_url)
    assert (again.code, "1 refused" in again.out) == (1, True)


def test_store_over_azures_form_tells_identical_from_other_bytes(
    command_line: CommandLine, node: Node, sources: list[WorkloadInstance], tmp_path: Path
) -> None:
    command_line.must("store", _folder(tmp_path), "--to", node.base_url)
    path = _folder(tmp_path).parent / sources[0].path
    content = bytearray(path.read_bytes())
    content[-1] ^= 0xFF
    path.write_bytes(content)
    ended = command_line.run("store", _folder(tmp_path), "--to", f"{node.base_url}/v2")
    assert ended.code == 1
    assert "0 stored, 23 identical, 1 refused, 0 skipped." in ended.out
    assert "other bytes under the same identifiers" in ended.err


def test_store_goes_on_where_a_kill_ended_it(command_line: CommandLine, tmp_path: Path) -> None:
    sources = write_workload(tmp_path / "sources", MANY)
    folder, journal = tmp_path / "sources" / MANY.name, tmp_path / "journal.jsonl"
    slow = {"ISOCENTER_FAILPOINTS": "packs.before_sync=sleep:150"}
    with serve(tmp_path / "node", environment=slow) as node:
        command = [PROGRAM, "store", str(folder), "--to", node.base_url, "--journal", str(journal), "-j", "1"]
        with running(command, log_path=tmp_path / "store.log", environment=command_line.environment()) as process:
            process.wait_until(lambda: journal.exists() and journal.read_bytes().count(b"\n") > 200)
            process.kill()
        acknowledged = journal.read_bytes().count(b"\n") - 1
        assert 200 <= acknowledged < len(sources), "the kill came too late to prove anything"
        out = command_line.must(*command[1:])
        assert f"{len(sources) - acknowledged:,} stored, 0 identical, 0 refused, {acknowledged:,} skipped" in out
        found = command_line.must("find", "--from", node.base_url, "--level", "instance", "--limit", "5000", "--json")
        assert sorted(row["00080018"]["Value"][0] for row in json.loads(found)) == sorted(each.sop for each in sources)


def test_real_files_come_back_byte_for_byte(command_line: CommandLine, node: Node, tmp_path: Path) -> None:
    folder = shared_data() / "demo" / "pacs-patients"
    out = command_line.must("store", folder, "--to", node.base_url)
    assert "31 stored, 0 identical, 0 refused" in out
    rows = json.loads(command_line.must("find", "--from", node.base_url, "--json"))
    studies = [row["0020000D"]["Value"][0] for row in rows]
    command_line.must("get", *studies, "--from", node.base_url, "-o", tmp_path / "fetched")
    ours = sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file())
    assert _digests(tmp_path / "fetched") == ours


# ---- looking after the archive


def test_a_running_node_and_work_on_its_folder_exclude_each_other(command_line: CommandLine, node: Node) -> None:
    command_line.must("find", "--from", node.base_url)
    for arguments in (["reindex"], ["scrub"], ["export", "--all", "--to", node.data_dir / "out"]):
        ended = command_line.run(*arguments, "--data-dir", node.data_dir)
        assert ended.code == 1
        assert "in use by another process" in ended.err


@pytest.mark.parametrize("is_index_lost", [True, False])
def test_reindex_brings_back_everything_that_was_stored_and_nothing_deleted(
    command_line: CommandLine, sources: list[WorkloadInstance], tmp_path: Path, is_index_lost: bool
) -> None:
    data_dir = tmp_path / "node"
    with serve(data_dir) as node:
        command_line.must("store", _folder(tmp_path), "--to", node.base_url)
        before = json.loads(command_line.must("find", "--from", node.base_url, "--level", "instance", "--json"))
        if not is_index_lost:
            command_line.must("delete", sources[0].study, "--from", node.base_url, "--yes")
    if is_index_lost:
        for path in data_dir.glob("index.sqlite3*"):
            path.unlink()
    expected = 24 if is_index_lost else 16
    assert f"Indexed {expected} instances; 0 damaged places" in command_line.must("reindex", "--data-dir", data_dir)
    with serve(data_dir) as node:
        after = json.loads(command_line.must("find", "--from", node.base_url, "--level", "instance", "--json"))
        assert len(after) == expected
        if is_index_lost:
            assert [_without_address(row) for row in after] == [_without_address(row) for row in before]
        command_line.must("get", sources[-1].study, "--from", node.base_url, "-o", tmp_path / "fetched")
    assert set(_digests(tmp_path / "fetched")) < set(_digests(_folder(tmp_path)))


def _without_address(row: dict[str, object]) -> dict[str, object]:
    return {tag: value for tag, value in row.items() if tag != "00081190"}


def test_scrub_and_export_find_the_flipped_bit(
    command_line: CommandLine, sources: list[WorkloadInstance], tmp_path: Path
) -> None:
    data_dir = tmp_path / "node"
    with serve(data_dir) as node:
        command_line.must("store", _folder(tmp_path), "--to", node.base_url)
    assert "every byte is intact" in command_line.must("scrub", "--data-dir", data_dir)
    victim = sources[5]
    (pack,) = (data_dir / "packs").glob("*.pack")
    content = bytearray(pack.read_bytes())
    at = content.index((_folder(tmp_path).parent / victim.path).read_bytes())
    content[at + 400] ^= 0x01
    pack.write_bytes(content)
    ended = command_line.run("scrub", "--data-dir", data_dir)
    assert ended.code == 1
    assert [line for line in ended.out.splitlines() if line.startswith("damaged: ")] == [
        line for line in ended.out.splitlines() if victim.sop in line
    ]
    ended = command_line.run("export", "--data-dir", data_dir, "--to", tmp_path / "out", "--all")
    assert (ended.code, victim.sop in ended.err) == (1, True)
    assert len(list((tmp_path / "out").rglob("*.dcm"))) == 23


def test_export_writes_every_instance_once(
    command_line: CommandLine, sources: list[WorkloadInstance], tmp_path: Path
) -> None:
    data_dir, out = tmp_path / "node", tmp_path / "out"
    with serve(data_dir) as node:
        command_line.must("store", _folder(tmp_path), "--to", node.base_url)
    one = command_line.must("export", "--data-dir", data_dir, "--to", out, sources[0].study)
    assert one.startswith("Wrote 8 files")
    rest = command_line.must("export", "--data-dir", data_dir, "--to", out, "--all")
    assert (rest.startswith("Wrote 16 files"), "8 were there" in rest) == (True, True)
    assert _digests(out) == _digests(_folder(tmp_path))


def test_doctor_finds_nothing_wrong_with_a_running_node(command_line: CommandLine, node: Node) -> None:
    listen = node.base_url.removeprefix("http://")
    out = command_line.must("doctor", "--data-dir", node.data_dir, "--set", f"http.listen={listen}", "--json")
    answers = {answer["name"]: answer for answer in json.loads(out)}
    assert {name for name, answer in answers.items() if answer["state"] == "fail"} == set()
    assert "a node of ours" in answers["port"]["finding"]
    assert all(answer["remedy"] for answer in answers.values() if answer["state"] != "ok")


def test_doctor_fails_on_an_index_that_is_none_and_says_what_to_do(command_line: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "index.sqlite3").write_bytes(b"this is no database, whatever its name says" * 100)
    listen = f"http.listen=127.0.0.1:{free_port()}"
    ended = command_line.run("doctor", "--data-dir", tmp_path, "--set", listen, "--json")
    (answer,) = [answer for answer in json.loads(ended.out) if answer["name"] == "index"]
    assert (ended.code, answer["state"]) == (1, "fail")
    assert "isocenter reindex" in answer["remedy"]
