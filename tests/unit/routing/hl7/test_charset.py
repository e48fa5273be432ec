from __future__ import annotations

import pytest

from isocenter.routing.hl7.charset import codec_of, decode_text


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("8859/1", "iso8859_1"),
        ("8859/15", "iso8859_15"),
        ("ISO 8859-2", "iso8859_2"),
        ("UNICODE UTF-8", "utf-8"),
        ("GB 18030-2000", "gb18030"),
        ("", "utf-8"),
        ("nobody knows", "utf-8"),
    ],
)
def test_a_character_set_is_known_by_its_name(name: str, codec: str) -> None:
    assert codec_of(name) == codec


@pytest.mark.parametrize(
    ("content", "codec", "text"),
    [
        ("Müller".encode("latin-1"), "iso8859_1", "Müller"),
        ("Müller".encode(), "ascii", "Müller"),
        ("Müller".encode("latin-1"), "utf-8", "Müller"),
        ("山田".encode("iso2022_jp"), "iso2022_jp", "山田"),
    ],
)
def test_bytes_become_text_though_the_sender_is_wrong_about_them(content: bytes, codec: str, text: str) -> None:
    assert decode_text(content, codec) == text
