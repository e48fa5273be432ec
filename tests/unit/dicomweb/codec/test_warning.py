from __future__ import annotations

import pytest

from isocenter.dicomweb.codec.warning import format_warning


@pytest.mark.parametrize(
    ("url", "header"),
    [
        ("https://pacs.example:8443/v2", '299 pacs.example: "Look."'),
        ("http://127.0.0.1/v2", '299 127.0.0.1: "Look."'),
        ("/v2", '299 - "Look."'),
    ],
)
def test_a_warning_names_the_host_of_the_service(url: str, header: str) -> None:
    assert format_warning(url, "Look.") == header


def test_quotes_in_a_message_do_not_end_it() -> None:
    assert format_warning("http://host/v2", 'a "b" \\c') == '299 host: "a \\"b\\" \\\\c"'
