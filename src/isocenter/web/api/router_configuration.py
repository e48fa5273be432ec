"""The configuration as the router's JSON: its text, what another one would change, its versions, past traffic."""

from __future__ import annotations

from isocenter.domain.errors import InvalidRequest
from isocenter.web.api.router_asked import REASON_LENGTH_MAX, Asked, Text
from isocenter.web.api.router_desk import RouterDesk
from isocenter.web.api.router_json import render_difference, render_problem, render_time

REPLAY_DAYS_MAX = 92.0
"""A quarter: who looks further back looks at rules of another time."""


def read_configuration(desk: RouterDesk, asked: Asked) -> object:
    """Return the text of a version."""
    version = asked.number("version", 0, highest=2**31) or None
    number, text = desk.text(version, as_written=asked.one("form") == "written")
    if asked.accepts_toml:
        return Text(text, {"ETag": f'"{number}"'})
    return {"version": number, "text": text}


async def replace_configuration(desk: RouterDesk, asked: Asked) -> object:
    """Have another configuration hold."""
    is_toml = isinstance(asked.body, str)
    text, reason = (asked.body, asked.one("reason") or "") if is_toml else (asked.text("text"), asked.reason)
    expected = None if is_toml else asked.document.get("version")
    if expected is not None and (not isinstance(expected, int) or isinstance(expected, bool)):
        raise InvalidRequest("version is the number of the version that is replaced.")
    number = await desk.replace_configuration(
        str(text), author=asked.principal.name, reason=reason[:REASON_LENGTH_MAX], expected=expected
    )
    return {"version": number}


def preview_configuration(desk: RouterDesk, asked: Asked) -> object:
    """Return what another configuration would change."""
    text = asked.body if isinstance(asked.body, str) else asked.text("text")
    preview = desk.preview(text)
    return {
        "differences": [render_difference(one) for one in preview.differences],
        "warnings": [render_problem(one) for one in preview.warnings],
        "missing_secrets": list(preview.missing_secrets),
    }


def list_versions(desk: RouterDesk, asked: Asked) -> object:
    """Return the versions of the configuration."""
    found = desk.versions()
    return {
        "versions": [
            {"version": one.number, "author": one.author, "at": render_time(one.at), "reason": one.reason}
            for one in found
        ]
    }


async def roll_back(desk: RouterDesk, asked: Asked) -> object:
    """Have an earlier version hold again."""
    number = await desk.roll_back(int(asked.path["version"]), author=asked.principal.name, reason=asked.reason)
    return {"version": number}


def replay(desk: RouterDesk, asked: Asked) -> object:
    """Return where what came lately would go."""
    days, text = asked.document.get("days", 7), asked.text("text")
    if not isinstance(days, int | float) or isinstance(days, bool) or not 0 < days <= REPLAY_DAYS_MAX:
        raise InvalidRequest(f"days is a number up to {REPLAY_DAYS_MAX:.0f}.")
    return desk.replay(float(days), text or None)
