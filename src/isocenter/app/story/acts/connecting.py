"""Step 3: the router's configuration is read, a token is got, connections are tested, the doors are opened."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx

from isocenter.app.connection_testing.destination import Circumstances, check_destination, find_destination
from isocenter.app.dimse_peer import DimsePeer
from isocenter.app.hospital.control import Part
from isocenter.app.secrets_by_name import SecretsByName
from isocenter.app.story.sampling import DESTINATIONS
from isocenter.app.story.stage import Stage
from isocenter.app.story.step import Findings
from isocenter.dimse.scu.client import Opener, ProposedContext
from isocenter.dimse.scu.echo import VERIFICATION, echo
from isocenter.domain.application_entity import AeAddress, RemoteAe
from isocenter.domain.errors import IsocenterError
from isocenter.routing.configuration.channel import Configuration
from isocenter.routing.configuration.read import read_configuration
from isocenter.routing.connection_test.report import ConnectionReport, Outcome

TOKEN_TIMEOUT_S = 10.0
ECHO_TIMEOUT_S = 10.0
CALLER = "GDCM"


def connect_router(stage: Stage, findings: Findings) -> None:
    """Read the configuration, test the token and the connections, start the channels."""
    configuration = read_configuration(stage.router.configuration(), file="the router's configuration").configuration
    _expect_configuration(findings, configuration)
    _expect_token(stage, findings)
    for place, name in DESTINATIONS.items():
        _expect_connection(findings, str(place), _test(stage, configuration, name))
    for channel in configuration.channels:
        state = stage.router.order(channel.name, "start")
        findings.expect_equal(f"The channel {channel.name} is started", "started", state)
    for address in (stage.reach.router.qierouter, stage.reach.router.qietoazure, stage.reach.pacs.address):
        _expect_echo(findings, address)
    if findings.is_all_met:
        stage.books.played.add(3)


def _expect_configuration(findings: Findings, configuration: Configuration) -> None:
    names = [one.name for one in configuration.destinations]
    doors = [*(one.name for one in configuration.channels), *(one.name for one in configuration.translators)]
    findings.note(
        "Configuration of the router",
        f"doors: {', '.join(doors)}; ways out: {', '.join(names)}",
        {"doors": doors, "destinations": names},
    )
    wanted = sorted(DESTINATIONS.values())
    found = [name for name in wanted if name in names]
    findings.expect_equal("The configuration sends to both archives", ", ".join(wanted), ", ".join(found))


def _expect_token(stage: Stage, findings: Findings) -> None:
    """Note what the cloud's token endpoint answers (“Test OAuth”)."""
    application = stage.reach.application
    form = {
        "grant_type": "client_credentials",
        "client_id": application.client_id,
        "client_secret": application.secret,
        "scope": application.scope,
    }
    try:
        answer = httpx.post(application.token_url, data=form, timeout=TOKEN_TIMEOUT_S, trust_env=False)
        document = answer.json() if answer.is_success else {}
        kind, lifetime_s = document.get("token_type", "no token"), document.get("expires_in", 0)
        found = f"{answer.status_code}, {kind}"
    except (httpx.HTTPError, ValueError) as error:
        found, lifetime_s = f"no answer ({type(error).__name__})", 0
    if findings.expect_equal("Test OAuth: the cloud gives an access token", "200, Bearer", found):
        findings.note("Access token", f"valid for {lifetime_s} s", {"expires_in_s": lifetime_s})


def _test(stage: Stage, configuration: Configuration, name: str) -> ConnectionReport:
    secrets = SecretsByName(stage.reach.folder / Part.ROUTER, {})
    circumstances = Circumstances(datetime.now(UTC), calling_ae_title=stage.reach.router.qierouter.ae_title)
    return check_destination(find_destination(configuration, name), circumstances, read_secret=secrets.read)


def _expect_connection(findings: Findings, place: str, report: ConnectionReport) -> None:
    for step in report.steps:
        findings.note(f"Test Connection, {place}: {step.name}", f"{step.outcome}: {step.happened}", step.as_json())
    failed = [f"{step.name}: {step.happened}" for step in report.steps if step.outcome is Outcome.FAILED]
    passed = sum(step.outcome is Outcome.PASSED for step in report.steps)
    findings.expect(
        f"Test Connection: the {place} can be used",
        report.is_sound and passed > 0,
        wanted="no step fails",
        found=failed[0] if failed else f"{passed} of {len(report.steps)} steps passed, none failed",
    )


def _expect_echo(findings: Findings, address: AeAddress) -> None:
    peer = DimsePeer(RemoteAe(address.ae_title, address.host, address.port), CALLER, timeout_s=ECHO_TIMEOUT_S)

    async def work(opener: Opener) -> None:
        async with opener.association(peer.remote, [ProposedContext(VERIFICATION)]) as association:
            await echo(association)

    try:
        peer.run(work)
        found = "it answers"
    except IsocenterError as error:
        found = error.message
    findings.expect_equal(f"{address.ae_title} answers a C-ECHO", "it answers", found)
