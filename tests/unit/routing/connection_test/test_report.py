"""The report of a connection test: what is skipped after a failure, what the other side is told, what programs read."""

from __future__ import annotations

import json

from isocenter.routing.catalogue.entry import Family, Side
from isocenter.routing.catalogue.lookup import entry_of
from isocenter.routing.connection_test.report import (
    ConnectionReport,
    Outcome,
    StepName,
    Steps,
    failed,
    failed_by,
    passed,
    skipped,
    warned,
)

PLANNED = (StepName.DNS, StepName.TCP, StepName.ASSOCIATION, StepName.ECHO)
CALLING_UNKNOWN = entry_of(Family.REJECTION, "1.3")


def _report(*steps: object) -> ConnectionReport:
    gathered = Steps(PLANNED)
    for step in steps:
        gathered.add(step)  # type: ignore[arg-type]
    return ConnectionReport("pacs", "PACS@10.1.2.3:104", gathered.finished(), "ROUTER")


def test_what_was_not_tried_after_a_failure_says_which() -> None:
    report = _report(passed(StepName.DNS, "It has an address."), failed_by(StepName.TCP, CALLING_UNKNOWN))
    assert [step.outcome for step in report.steps] == [
        Outcome.PASSED,
        Outcome.FAILED,
        Outcome.SKIPPED,
        Outcome.SKIPPED,
    ]
    assert report.steps[3].happened == "Not tried, because the step tcp failed."


def test_steps_stand_in_their_order_whatever_the_order_in_which_they_were_taken() -> None:
    report = _report(passed(StepName.ECHO, "It answers."), passed(StepName.DNS, "It has an address."))
    assert [step.name for step in report.steps] == list(PLANNED)


def test_a_warning_or_a_skipped_step_leaves_a_report_sound() -> None:
    report = _report(
        warned(StepName.ECHO, "It is slow.", "Look at its load."), skipped(StepName.DNS, "It is an address.")
    )
    assert report.is_sound


def test_a_failure_below_the_protocol_means_that_nobody_was_reached() -> None:
    assert not _report(failed_by(StepName.TCP, CALLING_UNKNOWN)).is_reached
    assert _report(failed_by(StepName.ASSOCIATION, CALLING_UNKNOWN)).is_reached


def test_the_other_side_is_told_what_it_can_mend_and_as_whom_we_call() -> None:
    message = _report(
        passed(StepName.DNS, "It has an address."), failed_by(StepName.ASSOCIATION, CALLING_UNKNOWN)
    ).message()
    assert message.startswith("We cannot use PACS@10.1.2.3:104 (we call as ROUTER):")
    assert CALLING_UNKNOWN.meaning in message
    assert message.endswith("What went well: dns.")


def test_the_other_side_is_not_told_what_is_ours_to_mend() -> None:
    ours = failed(StepName.ASSOCIATION, "Our certificate expired.", "Renew it.", side=Side.OURS)
    assert _report(ours).message() == ""


def test_promises_of_a_delivery_to_try_again_are_left_out_of_advice() -> None:
    step = failed_by(StepName.TCP, entry_of(Family.TRANSPORT, "connection-refused"))
    assert step.advice.startswith("See that the service runs there")
    assert step.code == "transport:connection-refused"


def test_a_program_reads_every_step_with_its_facts() -> None:
    report = _report(passed(StepName.TCP, "Port 104 is open.", elapsed_s=0.0015, port=104, address=None))
    document = json.loads(json.dumps(report.as_json()))
    [tcp] = [step for step in document["steps"] if step["step"] == "tcp"]
    assert (tcp["outcome"], tcp["elapsed_s"], tcp["facts"]) == ("passed", 0.0015, {"port": "104"})
    assert document["sound"] is True
