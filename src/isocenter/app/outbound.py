"""What the node asks of identity providers, by the operator's settings alone: JSON of bounded size, no redirects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import orjson

from isocenter.domain.errors import Unavailable

TIMEOUT_S = 10.0
SIZE_MAX_BYTES = 1024**2
"""Entra's keys take some 20 KB."""


def fetch_json(url: str) -> Any:
    """Return the JSON at an address; raises Unavailable."""
    return _ask("GET", url, None)


def post_form(url: str, form: Mapping[str, str]) -> Any:
    """Post a form and return the JSON of the answer; raises Unavailable, with the error that the other end names."""
    return _ask("POST", url, form)


def _ask(method: str, url: str, form: Mapping[str, str] | None) -> Any:
    host = httpx.URL(url).host
    try:
        with (
            httpx.Client(timeout=TIMEOUT_S, follow_redirects=False) as client,
            client.stream(method, url, data=form, headers={"Accept": "application/json"}) as answer,
        ):
            content = bytearray()
            for chunk in answer.iter_bytes():
                content += chunk
                if len(content) > SIZE_MAX_BYTES:
                    raise Unavailable(f"The answer of {host} is larger than {SIZE_MAX_BYTES} bytes.")
            status = answer.status_code
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unavailable(f"{host} cannot be asked: {type(error).__name__}.") from error
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise Unavailable(f"{host} answered {status} without JSON.") from error
    if status != httpx.codes.OK:
        said = document.get("error") if isinstance(document, dict) else None
        raise Unavailable(f"{host} answered {status}{f': {said[:100]}' if isinstance(said, str) else ''}.")
    return document
