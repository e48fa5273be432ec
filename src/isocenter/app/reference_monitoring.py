"""The page of the reference about what a node shows to those who look after it."""

from __future__ import annotations

from isocenter.dimse.shell.record import RECENT_MAX, End
from isocenter.web.api.associations import ASSOCIATIONS_PATH
from isocenter.web.api.metrics import FAMILIES, METRICS_PATH

_TEXT = """\
# Monitoring

{note}

A node shows what goes on to whoever may see its pages. Nothing here holds the value of an attribute.

## Health

- `/health/live`: the process answers.
- `/health/ready`: it takes requests (200), or why it does not (503).

## Associations

- `{associations}`: `live` associations, and the {recent_max} that ended last as `recent`, each with its number (`id`),
  AE titles, address, implementation, times, bytes, accepted and refused contexts counted, how it ended (`end`) and why
  (`cause`).
- `{associations}/ID`: one of them with every proposed context, what was agreed or why it was refused, and messages and
  statuses counted in both directions.

An association ended as one of: {ends}.

## Metrics

`{metrics}` gives these in the text form of Prometheus, with what its client library tells of the process. Counters
begin at zero with the node.

| metric | labels | meaning |
|---|---|---|
{rows}
"""


def render_monitoring(note: str) -> str:
    """Return the page."""
    rows = [
        f"| `{family.name}` | {', '.join(f'`{label}`' for label in family.labels)} | {family.help} |"
        for family in FAMILIES
    ]
    return _TEXT.format(
        note=note,
        associations=ASSOCIATIONS_PATH,
        recent_max=RECENT_MAX,
        ends=", ".join(f"`{end}`" for end in End),
        metrics=METRICS_PATH,
        rows="\n".join(rows),
    )
