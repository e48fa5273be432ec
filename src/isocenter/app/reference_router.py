"""The page of the reference about the router's JSON."""

from __future__ import annotations

from isocenter.web.api.router import ROUTER_PATH, ROUTER_ROUTES, WORDS
from isocenter.web.api.router_json import SELECTION_KEYS

_TEXT = """\
# The router's JSON

{note}

What the console and the commands `channel`, `destination`, `delivery` and `routing` ask of a node that routes. All of
it lies below `{root}`. Who may read the archive's data may read it; what changes anything needs the right to export.

A request that changes anything has a body of type `application/json`, `{{}}` where there is nothing to say. An error is
`{{"error": "…"}}` with the status that fits: 400 what cannot be meant, 401 and 403, 404, 409 where somebody else was
faster, 503 where it may go later. Of a configuration that cannot be used, `problems` names line and key of each fault.

| method | path | right | what it does |
|---|---|---|---|
{rows}

## Selections

`selection` is an object with some of the keys {keys}. `states` and `deliveries` are lists; `study`, `series` and
`instance` are UIDs; `note` is a code of the [catalogue](errors.md). At least one of them besides `states` must be
there. The answer tells how many deliveries took the step (`count`), and with `is_complete` whether all of them did: a
call ends after 100,000, and the same call goes on.

`send-again` takes deliveries that need a person; others where `states`, `instance` or `deliveries` name them. With
`"rules": "current"` those of `deliveries` are sent as the rules that hold now say, else as they were planned.

## Counters

`received` = `delivered` + `waiting` + `needs_human` + `cancelled`, always; `adds_up` says so. `waiting` are queued,
sending and held ones. What no rule sends anywhere counts as `cancelled`, and as `sent_nowhere` beside.
"""


def render_router(note: str) -> str:
    """Return the page."""
    rows = []
    for route in ROUTER_ROUTES:
        path = route.path or "/"
        for name, words in WORDS.items():
            path = path.replace(f"{{{name}:{name}}}", "{" + "\\|".join(words) + "}")
        right = route.action.value
        rows.append(f"| {route.method} | `{path.replace(':int', '')}` | {right} | {route.summary} |")
    keys = ", ".join(f"`{key}`" for key in SELECTION_KEYS)
    return _TEXT.format(note=note, root=ROUTER_PATH, rows="\n".join(rows), keys=keys)
