"""Users whom an association names (PS3.7 D.3.3.7), with storescu and pynetdicom in either role."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from isocenter.modality.workload import WorkloadShape, write_workload
from tests.support.command_line import PROGRAM, Answer, CommandLine
from tests.support.peers import require, require_module
from tests.support.processes import Node, free_port, serve

pytestmark = [
    pytest.mark.interop,
    # As an acceptor pynetdicom now and then leaves a socket open that the other end has closed.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

AE_TITLE = "NODE"
PASSWORD = "correct horse battery"
SMALL = WorkloadShape("small", studies=1, series=1, instances=2, rows=16, columns=16)
VERIFICATION, CT = "1.2.840.10008.1.1", "1.2.840.10008.5.1.4.1.1.2"
TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Listening:
    """A node that knows a reader, an owner and an application, and verifies them; of STRICT it requires a user."""

    node: Node
    port: int
    commands: CommandLine
    folder: Path
    """Instances to be sent, and files with secrets."""

    @property
    def peer(self) -> str:
        return f"{AE_TITLE}@127.0.0.1:{self.port}"

    def file(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text + "\n")
        return str(path)

    def storescu(self, *arguments: str, calling: str = "CT1") -> subprocess.CompletedProcess[str]:
        """Send the instances with storescu."""
        command = [require("storescu"), "-v", "-aet", calling, "-aec", AE_TITLE, *arguments, "+sd", "+r"]
        return subprocess.run(
            [*command, "127.0.0.1", str(self.port), str(self.folder / SMALL.name)],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )

    def token(self, name: str) -> str:
        """Return a token of an application."""
        told = self.commands.must("token", "--app", name, "--json", "--data-dir", self.node.data_dir)
        token: str = json.loads(told)["access_token"]
        return token


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    folder = tmp_path_factory.mktemp("users")
    port = free_port()
    settings = {
        "dicom.listen": f"{AE_TITLE}@127.0.0.1:{port}",
        "dicom.remotes": "STRICT@127.0.0.1?user=require",
        "dicom.unknown_callers": "accept",
        "dicom.user_identity": "verify",
    }
    sets = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    write_workload(folder, SMALL)
    commands = CommandLine(folder / "state")
    with serve(folder / "data", arguments=("--auth", "off", *sets)) as node:
        for name in ("reader", "owner"):
            commands.must(
                *("user", "add", name, "--role", name, "--password-file", "-", "--data-dir", node.data_dir),
                answer=PASSWORD + "\n",
            )
        commands.must("app", "register", "ct1", "--role", "owner", "--data-dir", node.data_dir)
        yield Listening(node, port, commands, folder)


# ---- storescu


@pytest.mark.parametrize(
    "arguments",
    [
        ("-usr", "owner", "-pwd", PASSWORD),
        ("-usr", "owner", "-pwd", PASSWORD, "-rsp"),
        ("-usr", "owner"),
        ("-usr", "owner", "-rsp"),
        (),
    ],
    ids=["passcode", "passcode, answered", "name", "name, answered", "none"],
)
def test_storescu_stores_as_a_user_who_may(listening: Listening, arguments: tuple[str, ...]) -> None:
    ended = listening.storescu(*arguments)
    assert ended.returncode == 0, ended.stderr


def test_storescu_stores_by_a_token(listening: Listening) -> None:
    token = listening.file("token.jwt", listening.token("ct1"))
    for flags in ((), ("-rsp",)):
        ended = listening.storescu("--jwt", token, *flags, calling="STRICT")
        assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize(
    ("calling", "arguments", "advice"),
    [
        ("CT1", ("-usr", "owner", "-pwd", "wrong"), "passcode is not that of the user"),
        ("CT1", ("-usr", "stranger", "-pwd", PASSWORD), "Nobody is registered"),
        ("CT1", ("-usr", "owner", "-epw"), "passcode is not that of the user"),
        ("CT1", ("-kt", "{file}"), "Kerberos tickets (type 3) are not verified"),
        ("CT1", ("--saml", "{file}"), "SAML assertions (type 4) are not verified"),
        ("CT1", ("--jwt", "{file}"), "token"),
        ("STRICT", (), "names no user"),
        ("STRICT", ("-usr", "owner"), "not proved"),
    ],
)
def test_storescu_is_rejected_and_the_log_says_what_to_change(
    listening: Listening, calling: str, arguments: tuple[str, ...], advice: str
) -> None:
    file = listening.file("evidence", "not a token")
    ended = listening.storescu(*(argument.format(file=file) for argument in arguments), calling=calling)
    told = ended.stdout + ended.stderr
    assert ended.returncode != 0
    assert "Rejected Permanent" in told
    assert "Service Provider (ACSE Related)" in told
    assert advice in listening.node.process.log()
    assert PASSWORD not in listening.node.process.log()


def test_storescu_has_no_context_to_store_for_who_may_only_read(listening: Listening) -> None:
    ended = listening.storescu("-usr", "reader", "-pwd", PASSWORD)
    assert ended.returncode != 0
    assert "No Acceptable Presentation Contexts" in ended.stdout + ended.stderr
    assert "association.user_limited" in listening.node.process.log()


# ---- pynetdicom


def _user(kind: int, primary: str, secondary: str = "") -> Any:
    item = require_module("pynetdicom").pdu_primitives.UserIdentityNegotiation()
    item.user_identity_type = kind
    item.positive_response_requested = True
    item.primary_field = primary.encode()
    if kind == 2:
        item.secondary_field = secondary.encode()
    return item


def _associate(listening: Listening, *users: Any) -> Any:
    entity = require_module("pynetdicom").AE("STRICT")
    entity.add_requested_context(VERIFICATION)
    entity.add_requested_context(CT)
    return entity.associate("127.0.0.1", listening.port, ae_title=AE_TITLE, ext_neg=list(users))


def test_pynetdicom_is_accepted_with_the_rights_of_its_user(listening: Listening) -> None:
    accepted = {}
    for name in ("reader", "owner"):
        association = _associate(listening, _user(2, name, PASSWORD))
        assert association.is_established
        assert association.send_c_echo().Status == 0
        assert association.acceptor.user_identity.server_response == b""
        accepted[name] = [context.abstract_syntax for context in association.accepted_contexts]
        association.release()
    assert accepted == {"reader": [VERIFICATION], "owner": [VERIFICATION, CT]}


@pytest.mark.parametrize("user", [(2, "owner", "wrong"), (3, "ticket"), (4, "<a/>"), (5, "a.b.c"), None])
def test_pynetdicom_is_rejected_by_the_provider(listening: Listening, user: tuple[int, str] | None) -> None:
    association = _associate(listening, *([_user(*user)] if user else []))
    assert association.is_rejected
    answer = association.acceptor.primitive
    assert (answer.result, answer.result_source, answer.diagnostic) == (1, 2, 1)


# ---- our commands


def _echo(listening: Listening, *arguments: str, calling: str = "STRICT", password: str | None = None) -> Answer:
    if password is not None:
        arguments = (*arguments, "--password-file", listening.file("password", password))
    return listening.commands.run("echo", listening.peer, "--as", calling, *arguments)


def test_echo_tells_that_the_user_was_confirmed(listening: Listening) -> None:
    assert "reader confirmed" in _echo(listening, "--user", "reader", password=PASSWORD).out
    told = json.loads(_echo(listening, "--user", "reader", "--json", calling="CT1").out)
    assert (told["user"], told["user_confirmed"]) == ("reader", True)
    token = listening.file("token.jwt", listening.token("ct1"))
    assert "the bearer of the token confirmed" in _echo(listening, "--user-token", token).out


def test_the_password_may_stand_in_the_environment(listening: Listening) -> None:
    environment = {**listening.commands.environment(), "ISOCENTER_PASSWORD": PASSWORD}
    command = [PROGRAM, "echo", listening.peer, "--as", "STRICT", "--user", "owner"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, env=environment)
    assert "owner confirmed" in ended.stdout, ended.stderr


def test_a_refused_user_is_told_what_to_check(listening: Listening) -> None:
    refused = _echo(listening, "--user", "owner", password="wrong")
    assert refused.code == 1
    assert "it did not accept the user; check name and password" in refused.err
    nobody = _echo(listening)
    assert nobody.code == 1
    assert "--user" in nobody.err


def test_each_command_names_the_user(listening: Listening, tmp_path: Path) -> None:
    password = listening.file("password", PASSWORD)
    user = ("--as", "STRICT", "--user", "owner", "--password-file", password)
    run, sources = listening.commands, tmp_path / "sources" / SMALL.name
    study = write_workload(sources.parent, SMALL, seed=7)[0].study
    assert "2 stored" in run.must("store", sources, "--to", listening.peer, *user)
    assert study in run.must("find", f"StudyInstanceUID={study}", "--from", listening.peer, "--json", *user)
    run.must("get", study, "--from", listening.peer, "-o", tmp_path / "study", *user)
    assert len([path for path in (tmp_path / "study").rglob("*") if path.is_file()]) == SMALL.instances
    run.must("commit", sources, "--to", listening.peer, *user)
    moved = run.run("move", study, "--from", listening.peer, "--to", "NOBODY", *user)
    assert "A801" in moved.err, moved.err
    for arguments in (["find", "--from"], ["get", study, "-o", tmp_path / "no", "--from"]):
        assert run.run(*arguments, listening.peer, "--as", "STRICT").code == 1


def test_a_reader_finds_and_does_not_store(listening: Listening) -> None:
    password = listening.file("password", PASSWORD)
    user = ("--as", "STRICT", "--user", "reader", "--password-file", password)
    assert listening.commands.run("find", "--from", listening.peer, *user).code == 0
    sources = listening.folder / SMALL.name
    refused = listening.commands.run("store", sources, "--to", listening.peer, "--again", *user)
    assert refused.code == 1
    assert "does not offer this service" in refused.err


@contextmanager
def _pynetdicom_that_wants(password: str) -> Iterator[tuple[int, list[tuple[int, bytes, bytes]]]]:
    pynetdicom = require_module("pynetdicom")
    shown: list[tuple[int, bytes, bytes]] = []

    def check(event: Any) -> tuple[bool, bytes | None]:
        shown.append((event.user_id_type, event.primary_field, event.secondary_field))
        return event.secondary_field == password.encode() or event.user_id_type == 5, b""

    entity = pynetdicom.AE("PACS")
    entity.add_supported_context(VERIFICATION)
    handlers = [(pynetdicom.evt.EVT_USER_ID, check)]
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    try:
        yield server.server_address[1], shown
    finally:
        server.shutdown()


def test_pynetdicom_is_told_the_user(listening: Listening) -> None:
    with _pynetdicom_that_wants(PASSWORD) as (port, shown):
        password, wrong = listening.file("password", PASSWORD), listening.file("wrong", "wrong")
        peer = f"PACS@127.0.0.1:{port}"
        run = listening.commands
        run.must("echo", peer, "--user", "jäne", "--password-file", password)
        refused = run.run("echo", peer, "--user", "jäne", "--password-file", wrong)
        run.must("echo", peer, "--user-token", listening.file("token.jwt", "a.b.c"))
    assert refused.code == 1
    assert "did not accept the user" in refused.err
    name = "jäne".encode()
    assert shown == [(2, name, PASSWORD.encode()), (2, name, b"wrong"), (5, b"a.b.c", b"")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--password-file", "{file}"], "needs --user"),
        (["--user", "jane", "--user-token", "{file}"], "stands alone"),
        (["--user", ""], "not empty"),
    ],
)
def test_wrong_usage_is_told_before_anybody_is_called(listening: Listening, arguments: list[str], said: str) -> None:
    file = listening.file("evidence", "x")
    ended = _echo(listening, *(argument.format(file=file) for argument in arguments))
    assert ended.code == 2
    assert said in ended.err


def test_users_are_for_peers_and_not_for_urls(listening: Listening) -> None:
    ended = listening.commands.run("find", "--from", listening.node.base_url, "--user", "jane")
    assert ended.code == 2
    assert "not for a URL" in ended.err
