"""A node that asks for evidence, as clients written for Azure's service meet it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import jwt
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientSecretCredential
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.instances import identify
from tests.support.secure_node import AUDIENCE, JSON, Registration, SecureNode, serve_securely
from tests.support.small_instances import make_instance

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureNode]:
    with serve_securely(tmp_path_factory.mktemp("identity")) as started:
        yield started


@pytest.fixture(scope="module")
def owner(node: SecureNode) -> Registration:
    return node.register("owner", "--role", "owner")


@pytest.fixture(scope="module")
def reader(node: SecureNode) -> Registration:
    return node.register("reader", "--role", "reader")


def _credential(node: SecureNode, one: Registration, *, secret: str = "") -> ClientSecretCredential:
    return ClientSecretCredential(
        one.tenant_id,
        one.client_id,
        secret or one.secret,
        authority=node.base_url,
        disable_instance_discovery=True,
        connection_verify=str(node.authority),
    )


def test_azure_identity_gets_its_token_and_the_service_takes_it(node: SecureNode, owner: Registration) -> None:
    with _credential(node, owner) as credential:
        token = credential.get_token(f"{AUDIENCE}/.default").token
    instance = make_instance(identify(1))
    with node.client({"Authorization": f"Bearer {token}", "Accept": JSON}) as client:
        stored = client.post("/v2/studies", content=instance.content, headers={"Content-Type": "application/dicom"})
        assert stored.status_code in (200, 202), stored.text
        found = client.get("/v2/studies")
    assert found.status_code == httpx.codes.OK
    assert found.json()[0]["0020000D"]["Value"] == [instance.identifier.study_instance_uid]


def test_azure_identity_understands_why_it_gets_none(node: SecureNode, owner: Registration) -> None:
    with (
        _credential(node, owner, secret="wrong") as credential,
        pytest.raises(ClientAuthenticationError, match="AADSTS7000215"),
    ):
        credential.get_token(f"{AUDIENCE}/.default")


def test_version_1_of_the_token_endpoint_works_as_in_the_lab(node: SecureNode, owner: Registration) -> None:
    with node.client() as client:
        answer = client.post(
            f"/{owner.tenant_id}/oauth2/token",
            data={
                "grant_type": "client_credentials",
                "client_id": owner.client_id,
                "client_secret": owner.secret,
                "resource": AUDIENCE,
            },
        )
        assert answer.headers["cache-control"] == "no-store"
        document = answer.json()
        found = client.get(
            "/v1/studies", headers={"Authorization": f"Bearer {document['access_token']}", "Accept": JSON}
        )
    assert (document["token_type"], document["resource"], document["expires_in"]) == ("Bearer", AUDIENCE, "3599")
    assert found.status_code in (200, 204)


def test_a_challenge_leads_to_the_token(node: SecureNode, reader: Registration) -> None:
    with node.client() as client:
        refused = client.get("/v2/studies")
        authority = f"{node.base_url}/{reader.tenant_id}"
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == (
            f'Bearer authorization_uri="{authority}", resource_id="{AUDIENCE}", realm="{AUDIENCE}"'
        )
        document = client.get(f"{authority}/v2.0/.well-known/openid-configuration").json()
        keys = jwt.PyJWKSet.from_dict(client.get(document["jwks_uri"]).json())
    token = node.token(reader)
    claims = jwt.decode(
        token,
        keys[jwt.get_unverified_header(token)["kid"]],
        algorithms=["RS256"],
        audience=AUDIENCE,
        issuer=document["issuer"],
    )
    assert claims["roles"] == ["DICOM Data Reader"]


def _encoded(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def _forged(node: SecureNode, one: Registration, jku: str) -> dict[str, str]:
    """Return tokens that are not what they seem, made of a good one and of what the node publishes."""
    good = node.token(one)
    head, body, signature = good.split(".")
    header = jwt.get_unverified_header(good)
    claims = jwt.decode(good, options={"verify_signature": False})
    with node.client() as client:
        [key, *_] = client.get(f"/{one.tenant_id}/discovery/v2.0/keys").json()["keys"]
    public_key = jwt.PyJWK(key).key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    as_secret = f"{_encoded({**header, 'alg': 'HS256'})}.{body}"
    digest = hmac.digest(public_key, as_secret.encode(), hashlib.sha256)
    own_key = generate_private_key(65537, 2048)
    return {
        "no signature": f"{_encoded({**header, 'alg': 'none'})}.{body}.",
        "signed with the public key": f"{as_secret}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}",
        "another role": f"{head}.{_encoded({**claims, 'roles': ['DICOM Data Owner']})}.{signature}",
        "another time": f"{head}.{_encoded({**claims, 'exp': claims['exp'] + 3600})}.{signature}",
        "own key": jwt.encode(claims, own_key, "RS256", headers={"kid": header["kid"]}),
        "own key, brought along": jwt.encode(claims, own_key, "RS256", headers={"kid": "x", "jku": jku, "x5u": jku}),
        "kid is a path": jwt.encode(claims, own_key, "RS256", headers={"kid": "../../../../dev/null"}),
        "kid is a statement": jwt.encode(claims, own_key, "RS256", headers={"kid": "' OR '1'='1"}),
        "truncated": good[:-8],
        "long": f"{head}.{_encoded({**claims, 'filler': 'x' * 20_000})}.{signature}",
        "no token": "owner",
    }


def test_a_forged_token_opens_nothing_and_lets_the_node_fetch_nothing(node: SecureNode, reader: Registration) -> None:
    with socket.create_server(("127.0.0.1", 0)) as elsewhere, node.client({"Accept": JSON}) as client:
        elsewhere.settimeout(0)
        jku = f"http://127.0.0.1:{elsewhere.getsockname()[1]}/keys"
        for name, token in _forged(node, reader, jku).items():
            answer = client.get("/v2/studies", headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 401, name
            assert answer.headers["www-authenticate"].startswith("Bearer "), name
            assert token not in answer.text, name
        with pytest.raises(BlockingIOError):
            elsewhere.accept()
        good = {"Authorization": f"Bearer {node.token(reader)}"}
        assert client.get("/v2/studies", headers=good).status_code in (200, 204)


def test_a_token_of_a_megabyte_is_refused_and_the_next_request_served(node: SecureNode, reader: Registration) -> None:
    token = node.token(reader)
    with node.client({"Accept": JSON}) as client:
        try:
            answer = client.get("/v2/studies", headers={"Authorization": f"Bearer {token}{'x' * 1_000_000}"})
            assert answer.status_code in (400, 401, 431)
        except httpx.TransportError:
            pass  # closed while it was still being told
        good = client.get("/v2/studies", headers={"Authorization": f"Bearer {token}"})
        assert good.status_code in (200, 204)


def test_a_reader_searches_and_does_not_store(node: SecureNode, reader: Registration) -> None:
    instance = make_instance(identify(2))
    with node.client({"Authorization": f"Bearer {node.token(reader)}", "Accept": JSON}) as client:
        assert client.get("/v2/studies").status_code in (200, 204)
        assert client.get("/v2/changefeed").status_code == 200
        refused = client.post("/v2/studies", content=instance.content, headers={"Content-Type": "application/dicom"})
    assert (refused.status_code, refused.text) == (403, "Authorization failed.")


def test_a_role_counts_within_a_second_while_the_node_runs(node: SecureNode) -> None:
    one = node.register("late")
    with node.client({"Authorization": f"Bearer {node.token(one)}", "Accept": JSON}) as client:
        assert client.get("/v2/studies").status_code == 403
        node.operate("role", "assign", "reader", "--app", "late")
        node.process.wait_until(lambda: client.get("/v2/studies").status_code in (200, 204))
        node.operate("app", "remove", "late", "--yes")
        node.process.wait_until(lambda: client.get("/v2/studies").status_code == 401)


def test_a_key_that_became_known_voids_all_tokens(node: SecureNode, reader: Registration) -> None:
    old = node.token(reader)
    with node.client({"Accept": JSON}) as client:
        assert client.get("/v2/studies", headers={"Authorization": f"Bearer {old}"}).status_code in (200, 204)
        node.operate("tenant", "rotate-keys", "--revoke", "--yes")
        node.process.wait_until(
            lambda: client.get("/v2/studies", headers={"Authorization": f"Bearer {old}"}).status_code == 401
        )
        new = {"Authorization": f"Bearer {node.token(reader)}"}
        assert client.get("/v2/studies", headers=new).status_code in (200, 204)


def test_our_own_commands_get_tokens_by_themselves(node: SecureNode, owner: Registration, tmp_path: Path) -> None:
    instance = make_instance(identify(3))
    (tmp_path / "one.dcm").write_bytes(instance.content)
    (tmp_path / "secret").write_text(owner.secret + "\n")
    shown = ("--ca", node.authority, "--client-id", owner.client_id, "--client-secret-file", tmp_path / "secret")
    run = node.commands.must
    assert "1 stored" in run("store", tmp_path / "one.dcm", "--to", node.base_url, *shown)
    study = instance.identifier.study_instance_uid
    assert study in run("find", f"StudyInstanceUID={study}", "--from", node.base_url, *shown)
    run("get", study, "--from", node.base_url, "-o", tmp_path / "out", *shown)
    assert [path.read_bytes() for path in (tmp_path / "out").rglob("*.dcm")] == [instance.content]
    token = node.operate("token").strip()
    shown_token = ("--ca", str(node.authority), "--token", token)
    assert "Deleted" in run("delete", study, "--yes", "--from", node.base_url, *shown_token)


def test_a_command_without_evidence_is_told(node: SecureNode) -> None:
    answer = node.commands.run("find", "--from", node.base_url, "--ca", node.authority)
    assert answer.code == 1
    assert "401" in answer.err


def test_signing_in_gives_a_cookie_that_no_script_and_no_other_site_can_use(node: SecureNode) -> None:
    node.operate("user", "add", "jane", "--role", "reader", "--password-file", "-", answer=PASSWORD + "\n")
    with node.client() as client:
        page = client.get("/viewer?StudyInstanceUIDs=1.2")
        assert page.status_code == 303
        assert page.headers["location"] == "/login?next=%2Fviewer%3FStudyInstanceUIDs%3D1.2"
        wrong = client.post("/login", data={"name": "jane", "password": "wrong", "next": "/"})
        assert (wrong.status_code, "set-cookie" in wrong.headers) == (401, False)
        signed_in = client.post("/login", data={"name": "JANE", "password": PASSWORD, "next": "//evil.example"})
        cookie = signed_in.headers["set-cookie"]
        assert (signed_in.status_code, signed_in.headers["location"]) == (303, "/")
        assert cookie.startswith(f"__Host-isocenter-session-{client.base_url.port}=")
        assert all(part in cookie.lower() for part in ("; httponly", "; secure", "; samesite=lax", "; path=/"))
        assert "domain" not in cookie.lower()
        assert "jane" in client.get("/").text
        assert client.get("/v2/studies", headers={"Accept": JSON}).status_code in (200, 204)
        for elsewhere in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
            assert client.get("/v2/studies", headers={"Accept": JSON, **elsewhere}).status_code == 401
            assert client.post("/logout", headers=elsewhere).status_code == 403
        kept = dict(client.cookies)
        assert client.post("/logout").status_code == 303
        assert client.get("/v2/studies", headers={"Accept": JSON}).status_code == 401
        replayed = "; ".join(f"{name}={value}" for name, value in kept.items())
        assert client.get("/v2/studies", headers={"Accept": JSON, "Cookie": replayed}).status_code == 401


def test_no_secret_reaches_the_logs_or_the_audit_log(node: SecureNode, owner: Registration) -> None:
    token = node.token(owner)
    with node.client({"Authorization": f"Bearer {token}", "Accept": JSON}) as client:
        assert client.get("/v2/studies?PatientID=canary").status_code == 204
    assert "none of them touched" in node.operate("audit", "verify")
    audit = "".join(path.read_text() for path in (node.data_dir / "audit").iterdir())
    log = node.process.log_path.read_text()
    assert "PatientID=canary" in audit
    assert "canary" not in log
    for secret in (token, token.rsplit(".", 1)[1], owner.secret, PASSWORD, "__Host-"):
        assert secret not in audit + log
    database = b"".join(path.read_bytes() for path in node.data_dir.glob("identity.sqlite3*"))
    assert owner.secret.encode() not in database
    assert PASSWORD.encode() not in database


def test_what_needs_no_evidence_is_open(node: SecureNode) -> None:
    with node.client() as client:
        health = client.get("/health/check")
        assert health.json()["overallStatus"] == "Healthy"
        assert {one["name"] for one in health.json()["details"]} == {
            "DicomBlobHealthCheck",
            "MetadataHealthCheck",
            "SqlServerHealthCheck",
        }
        assert client.get("/health/live").status_code == 200
        for closed in ("/api/associations", "/metrics"):
            assert client.get(closed).status_code in (401, 404), closed


@pytest.mark.parametrize(
    ("version", "taken"),
    [
        (ssl.TLSVersion.TLSv1_1, False),
        (ssl.TLSVersion.TLSv1_2, True),
        (ssl.TLSVersion.TLSv1_3, True),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_versions_of_tls_are_refused(node: SecureNode, version: ssl.TLSVersion, taken: bool) -> None:
    context = node.tls()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    port = int(node.base_url.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        if taken:
            with context.wrap_socket(connection, server_hostname="localhost") as secure:
                assert secure.version() is not None
        else:
            with pytest.raises(ssl.SSLError):
                context.wrap_socket(connection, server_hostname="localhost")


@pytest.mark.parametrize("cipher", ["AES128-SHA", "DES-CBC3-SHA", "RC4-SHA", "ECDHE-ECDSA-AES128-SHA"])
def test_weak_ciphers_are_refused(node: SecureNode, cipher: str) -> None:
    context = node.tls()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.set_ciphers(f"{cipher}:@SECLEVEL=0")
    except ssl.SSLError:
        return  # our own OpenSSL does not know it any more
    port = int(node.base_url.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection, pytest.raises(ssl.SSLError):
        context.wrap_socket(connection, server_hostname="localhost")


def test_a_client_that_does_not_know_the_authority_does_not_trust_the_node(node: SecureNode) -> None:
    with httpx.Client(trust_env=False) as client, pytest.raises(httpx.ConnectError, match=r"(?i)certificate"):
        client.get(f"{node.base_url}/health/ready")


def test_tokens_of_another_node_count_where_it_is_named_as_issuer(node: SecureNode, tmp_path: Path) -> None:
    one = node.register("guest")
    issuer = f"{node.base_url}/{one.tenant_id}/v2.0/.well-known/openid-configuration"
    settings = (
        "--set",
        f"identity.issuers={issuer}",
    )
    environment = {**os.environ, "SSL_CERT_FILE": str(node.authority)}
    with serve_securely(tmp_path / "other", arguments=settings, environment=environment) as other:
        headers = {"Authorization": f"Bearer {node.token(one)}", "Accept": JSON}
        with other.client() as client:
            refused = client.get("/v2/studies")
            assert f'authorization_uri="{node.base_url}/{one.tenant_id}/v2.0"' in refused.headers["www-authenticate"]
            other.process.wait_until(lambda: client.get("/v2/studies", headers=headers).status_code == 403)
            other.operate("role", "assign", "reader", "--object", one.object_id)
            other.process.wait_until(lambda: client.get("/v2/studies", headers=headers).status_code in (200, 204))
            assert client.get(f"/{one.tenant_id}/v2.0/.well-known/openid-configuration").status_code == 404
            assert "Sign in" in client.get("/login").text


def test_two_installations_share_no_secret(node: SecureNode, owner: Registration, tmp_path: Path) -> None:
    with serve_securely(tmp_path / "other") as other:
        one = other.register("owner", "--role", "owner")
        assert one.secret != owner.secret
        assert one.tenant_id != owner.tenant_id
        headers = {"Authorization": f"Bearer {node.token(owner)}", "Accept": JSON}
        with other.client(headers) as client:
            assert client.get("/v2/studies").status_code == 401
    assert (
        json.loads(other.commands.must("certificate", "show", "--json", "--data-dir", other.data_dir))[
            "authority_sha256"
        ]
        != json.loads(node.operate("certificate", "show", "--json"))["authority_sha256"]
    )
