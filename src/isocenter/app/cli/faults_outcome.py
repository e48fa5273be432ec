"""The outcome of a scenario for people and for programs."""

from __future__ import annotations

from typing import Any

import click

from isocenter.app.cli.output import print_json, print_table
from isocenter.modality.faults.drawing import iter_drawing
from isocenter.modality.faults.record import Record
from isocenter.modality.faults.record_json import record_json
from isocenter.modality.faults.scenario import Scenario
from isocenter.modality.faults.verdict import Finding, judge


def print_outcome(scenario: Scenario, record: Record, *, as_json: bool) -> bool:
    """Print what was seen and what it means; return whether everything is as expected."""
    findings = judge(scenario, record)
    is_met = all(finding.is_met for finding in findings)
    if as_json:
        print_json(outcome_json(scenario, record, findings))
        return is_met
    click.echo(f"\n{scenario.name}\n")
    for line in iter_drawing(scenario, record):
        click.echo(line)
    click.echo()
    rows = [("yes" if one.is_met else "NO", one.expectation, one.evidence) for one in findings]
    print_table(("met", "expected", "evidence"), rows)
    click.echo(f"\n{'As expected.' if is_met else 'NOT as expected.'}")
    return is_met


def outcome_json(scenario: Scenario, record: Record, findings: list[Finding]) -> dict[str, Any]:
    """Return the outcome as programs read it."""
    return {
        "scenario": scenario.name,
        "is_met": all(finding.is_met for finding in findings),
        "findings": [
            {"expectation": one.expectation, "is_met": one.is_met, "evidence": one.evidence} for one in findings
        ],
        **record_json(record),
        "sent_again": record.sent_again,
        "ended_at_s": round(record.ended_at_s, 3),
    }
