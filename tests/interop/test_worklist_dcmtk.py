"""The work list against DCMTK's: the same items and queries, wlmscpfs and the node must answer with the same steps."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.command_line import CommandLine
from tests.support.peers import require
from tests.support.processes import free_port, is_listening, running, serve

AE_TITLE = "WORKLIST"
FINDSCU_TIMEOUT_S = 60
STEP = "(0040,0100)[0]."
ACCESSION = re.compile(r"\(0008,0050\) SH \[([^\]]*)\]")

ITEMS: Mapping[str, tuple[str, ...]] = {
    # accession: name, id, birth date, sex, study, modality, station, date, time, physician, step id
    "A01": (
        "VIVALDI^ANTONIO",
        "AV1",
        "16780304",
        "M",
        "1.2.1",
        "MR",
        "AA32\\AA33",
        "20240704",
        "235959",
        "JONES^A",
        "S1",
    ),
    "A02": ("VIVALDI^ANTONIO", "AV1", "16780304", "M", "1.2.2", "CT", "AB45", "20240705", "0930", "ROSS^B", "S2"),
    "A03": ("HAYDN^FRANZ^JOSEPH", "HF2", "17320331", "M", "1.2.3", "CT", "AA32", "20240705", "1000", "ROSS^B", "S3"),
    "A04": ("HAYDN^FRANZ^JOSEPH", "HF2", "17320331", "M", "1.2.4", "US", "AB45", "20240705", "101500", "", "S4"),
    "A05": ("SCHUMANN^CLARA", "CS3", "18190913", "F", "1.2.5", "CR", "AC01", "20240706", "0300", "JONES^A", "S5"),
    "A06": ("SCHUMANN^CLARA", "CS3", "18190913", "F", "1.2.6", "CT", "AA32", "20240706", "175959", "ROSS^B", "S6"),
    "A07": ("HENSEL^FANNY", "FH4", "18051114", "F", "1.2.7", "MR", "AA33", "20240707", "180000", "KANT^I", "S7"),
    "A08": ("HENSEL^FANNY", "FH4", "18051114", "F", "1.2.8", "MR", "AC01", "20240707", "180001", "KANT^I", "S8"),
    "A09": ("BACH^JOHANN^SEBASTIAN", "JB5", "16850331", "M", "1.2.9", "NM", "AB45", "20240708", "1200", "ROSS^B", "S9"),
}
"""No two with the same accession number: by it an answer is known again."""

QUERIES = (
    (),
    ("0010,0010=VIVALDI^ANTONIO",),
    ("0010,0010=VIV*",),
    ("0010,0010=H*",),
    ("0010,0010=*^CLARA",),
    ("0010,0010=H?YDN*",),
    ("0010,0010=*",),
    ("0010,0010=NOBODY",),
    ("0010,0020=AV1",),
    ("0010,0020=av1",),
    ("0008,0050=A05",),
    ("0010,0040=F",),
    (f"{STEP}0008,0060=CT",),
    (f"{STEP}0008,0060=MR", "0010,0010=HENSEL*"),
    (f"{STEP}0040,0001=AA32",),
    (f"{STEP}0040,0001=AA33",),
    (f"{STEP}0040,0001=AA3",),
    (f"{STEP}0040,0006=ROSS^B",),
    (f"{STEP}0040,0006=*S*",),
    (f"{STEP}0040,0002=20240705",),
    (f"{STEP}0040,0002=20240705-20240706",),
    (f"{STEP}0040,0002=20240706-",),
    (f"{STEP}0040,0002=-20240705",),
    (f"{STEP}0040,0003=1000",),
    (f"{STEP}0040,0003=090000-120000",),
    (f"{STEP}0040,0003=1200-",),
    (f"{STEP}0040,0003=-0300",),
    (f"{STEP}0040,0002=20240705", f"{STEP}0040,0003=0900-1000"),
    # PS3.4 table K.6-1: from July 5, 10am until July 7, 6pm
    (f"{STEP}0040,0002=20240705-20240707", f"{STEP}0040,0003=100000-180000"),
    (f"{STEP}0040,0002=20240706-", f"{STEP}0040,0003=175959-"),
    (f"{STEP}0040,0002=-20240706", f"{STEP}0040,0003=-030000"),
    (f"{STEP}0008,0060=CT", f"{STEP}0040,0001=AA32", f"{STEP}0040,0002=20240706-20240708"),
    (f"{STEP}0008,0060=CT", f"{STEP}0040,0001=AC01"),
)
"""By keys that wlmscpfs matches at all. It compares names letter by letter, the node without regard to case."""


def _dump(accession: str) -> str:
    name, patient_id, born, sex, study, modality, station, day, time, physician, step_id = ITEMS[accession]
    return f"""(0008,0005) CS [ISO_IR 100]
(0008,0050) SH [{accession}]
(0010,0010) PN [{name}]
(0010,0020) LO [{patient_id}]
(0010,0030) DA [{born}]
(0010,0040) CS [{sex}]
(0020,000d) UI [{study}]
(0032,1060) LO [PROCEDURE]
(0040,0100) SQ
(fffe,e000) -
(0008,0060) CS [{modality}]
(0040,0001) AE [{station}]
(0040,0002) DA [{day}]
(0040,0003) TM [{time}]
(0040,0006) PN [{physician}]
(0040,0007) LO [STEP]
(0040,0009) SH [{step_id}]
(0040,0010) SH [STATION]
(fffe,e00d) -
(fffe,e0dd) -
(0040,1001) SH [RP{accession}]
"""


@dataclass(frozen=True)
class Lists:
    """Where the two answer."""

    ours: int
    theirs: int


@contextmanager
def _wlmscpfs(folder: Path, log_path: Path) -> Iterator[int]:
    port = free_port()
    command = [require("wlmscpfs"), "--data-files-path", str(folder), "--disable-file-reject", str(port)]
    with running(command, log_path=log_path) as process:
        process.wait_until(lambda: is_listening(port))
        yield port


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lists]:
    folder = tmp_path_factory.mktemp("worklist")
    dumps, database = folder / "dumps", folder / "database" / AE_TITLE
    dumps.mkdir()
    database.mkdir(parents=True)
    (database / "lockfile").touch()
    for accession in ITEMS:
        dump = dumps / f"{accession}.dump"
        dump.write_text(_dump(accession))
        made = [require("dump2dcm"), "-q", "+te", str(dump), str(database / f"{accession}.wl")]
        subprocess.run(made, check=True)
    port = free_port()
    arguments = ("--auth", "off", "--dicom", f"{AE_TITLE}@127.0.0.1:{port}")
    CommandLine(folder / "state").must("worklist", "add", dumps, "--data-dir", folder / "node")
    with (
        serve(folder / "node", arguments=arguments),
        _wlmscpfs(folder / "database", folder / "wlmscpfs.log") as theirs,
    ):
        yield Lists(port, theirs)


def _find(port: int, keys: tuple[str, ...]) -> list[str]:
    """Return the accession numbers of the answers."""
    named = {key.split("=")[0] for key in keys}
    returned = [key for key in ("0008,0050", "0010,0010", f"{STEP}0040,0009", f"{STEP}0008,0060") if key not in named]
    options = [part for key in (*keys, *returned) for part in ("-k", key)]
    done = subprocess.run(
        [require("findscu"), "-W", "-aec", AE_TITLE, "127.0.0.1", str(port), *options],
        capture_output=True,
        text=True,
        timeout=FINDSCU_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answers = (done.stdout + done.stderr).split("Find Response")[1:]
    return sorted(ACCESSION.findall(answer)[0].strip() for answer in answers)


@pytest.mark.parametrize("keys", QUERIES, ids=lambda keys: " ".join(keys) or "everything")
def test_both_answer_with_the_same_steps(lists: Lists, keys: tuple[str, ...]) -> None:
    assert _find(lists.ours, keys) == _find(lists.theirs, keys)


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        ((), ()),
        (("PatientName=VIV*",), ("0010,0010=VIV*",)),
        (("Modality=CT",), (f"{STEP}0008,0060=CT",)),
        (("PatientName=NOBODY",), ("0010,0010=NOBODY",)),
    ],
)
def test_our_command_reads_its_list_as_findscu_does(
    lists: Lists, tmp_path: Path, keys: tuple[str, ...], names: tuple[str, ...]
) -> None:
    peer = f"{AE_TITLE}@127.0.0.1:{lists.theirs}"
    rows = json.loads(CommandLine(tmp_path).must("worklist", "find", *keys, "--from", peer, "--json"))
    assert sorted(row["00080050"]["Value"][0] for row in rows) == _find(lists.theirs, names)


def test_the_queries_tell_items_apart(lists: Lists) -> None:
    assert len({tuple(_find(lists.ours, keys)) for keys in QUERIES}) > len(ITEMS)
