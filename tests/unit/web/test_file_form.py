"""Forms with files: read with a bound, files on the disk, nothing left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from starlette.requests import Request

from isocenter.domain.errors import InvalidRequest, TooLarge, TooSlow, UnsupportedMediaType
from isocenter.web.file_form import SentFile, read_file_form

FIELD = b'--b\r\nContent-Disposition: form-data; name="calling"\r\n\r\nCT1\r\n'
FILE = (
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.dcm"\r\n'
    b"Content-Type: application/octet-stream\r\n\r\n"
)
END = b"\r\n--b--\r\n"


def _read(
    *chunks: bytes,
    content_type: str = "multipart/form-data; boundary=b",
    size_max_bytes: int = 100,
    files_max: int = 1,
) -> tuple[Sequence[tuple[str, str]], Sequence[SentFile]]:
    waiting = iter([*chunks])

    async def receive() -> dict[str, object]:
        chunk = next(waiting, None)
        return {"type": "http.request", "body": chunk or b"", "more_body": chunk is not None}

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", content_type.encode())]}
    return asyncio.run(read_file_form(Request(scope, receive), size_max_bytes=size_max_bytes, files_max=files_max))


def test_fields_and_a_file_are_read_however_the_body_is_cut() -> None:
    body = FIELD + FILE + b"\x00\r\n--\xff" + END
    for size in (1, 7, len(body)):
        pairs, (sent,) = _read(*(body[at : at + size] for at in range(0, len(body), size)))
        with sent.file:
            assert pairs == (("calling", "CT1"),)
            assert (sent.field_name, sent.name, sent.size_bytes) == ("file", "a.dcm", 6)
            assert Path(sent.path).read_bytes() == sent.file.read() == b"\x00\r\n--\xff"
        assert not Path(sent.path).exists()


def test_an_empty_choice_is_no_file() -> None:
    _, files = _read(b'--b\r\nContent-Disposition: form-data; name="file"; filename=""\r\n\r\n' + END)
    assert files == ()


def test_a_file_that_is_too_large_is_refused() -> None:
    with pytest.raises(TooLarge):
        _read(FILE + bytes(101) + END)


def test_files_that_are_too_large_together_are_refused() -> None:
    half = FILE + bytes(60) + b"\r\n"
    with pytest.raises(TooLarge):
        _read(half + half + END, files_max=2)


def test_more_files_than_are_asked_for_are_refused() -> None:
    two = FILE + b"a\r\n" + FILE + b"b" + END
    with pytest.raises(TooLarge):
        _read(two)
    _, files = _read(two, files_max=2)
    for sent in files:
        sent.file.close()
    assert [sent.size_bytes for sent in files] == [1, 1]


def test_a_form_that_stands_still_is_given_up() -> None:
    async def receive() -> dict[str, object]:
        await asyncio.Event().wait()
        return {}

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", b"multipart/form-data; boundary=b")]}
    with pytest.raises(TooSlow):
        asyncio.run(read_file_form(Request(scope, receive), size_max_bytes=100, idle_max_s=0.01))


def test_fields_that_are_too_long_are_refused() -> None:
    with pytest.raises(TooLarge):
        _read(FIELD[:-2] + bytes(70_000) + END)


@pytest.mark.parametrize("body", [b"", b"garbage", FIELD, b"--b\r\nX: y\r\n\r\nz" + END])
def test_what_is_no_form_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        _read(body)


def test_another_type_is_refused() -> None:
    with pytest.raises(UnsupportedMediaType):
        _read(FIELD, content_type="application/x-www-form-urlencoded")
