"""A downloaded file-set as other people's programs see it."""

from __future__ import annotations

import io
import subprocess
import zipfile
from pathlib import Path

import pytest

from isocenter.web.pages.download import download_routes
from tests.support.console_studies import ROOT, asked, make_instance
from tests.support.memory_archive import store
from tests.support.peers import require


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    with asked(lambda console, archive: download_routes(console, archive, audit=None)) as (client, archive):
        for study, series, number in ((1, 1, 1), (1, 1, 2), (1, 2, 1), (2, 1, 1)):
            store(archive, make_instance(study, series, number))
        answer = client.get(f"/download?study={ROOT}.1&study={ROOT}.2&media=dicomdir")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as file:
        file.extractall(tmp_path)
    return tmp_path / "DICOMDIR"


def test_dciodvfy_finds_no_error_in_the_directory(directory: Path) -> None:
    ended = subprocess.run(
        [require("dciodvfy"), str(directory)], capture_output=True, text=True, check=False, timeout=60
    )
    told = ended.stderr + ended.stdout
    assert "BasicDirectory" in told
    assert "Error" not in told


def test_dcmtk_reads_the_directory(directory: Path) -> None:
    command = [require("dcmdump"), "+L", str(directory)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0
    assert ended.stdout.count("[IMAGE]") == 4
    assert "DICOM\\PA000001\\ST000001\\SE000001\\IM000001" in ended.stdout
