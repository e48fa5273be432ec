"""Make a token from the data folder itself, for its owner."""

from __future__ import annotations

from isocenter.app.node_identity import build_provider, open_identity_store, open_registry
from isocenter.app.settings import Settings
from isocenter.domain.directory import Application
from isocenter.domain.errors import InvalidRequest, NotFound
from isocenter.domain.role import DATA_OWNER
from isocenter.identity.access_token import LIFETIME_S
from isocenter.identity.provider.token_endpoint import mint_for_client
from isocenter.identity.registry import Registry

OWN_APPLICATION = "isocenter command line"


def mint(settings: Settings, *, wanted: str | None, audience: str | None) -> dict[str, str | int]:
    """Return a token and whom it is for; raises NotFound, InvalidRequest."""
    if settings.identity.issuers:
        raise InvalidRequest("This node believes external issuers only; ask one of them for a token.")
    with open_identity_store(settings) as store:
        registry = open_registry(store)
        application = _own_application(registry) if wanted is None else registry.application(wanted)
        provider = build_provider(settings, store)
        service = audience or provider.audiences[0]
        if not provider.is_audience(service):
            raise InvalidRequest(f"{service} is not one of identity.audiences.")
        token = mint_for_client(provider, application, base=own_base(settings), audience=service)
    return {
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": LIFETIME_S,
        "client_id": application.client_id,
        "tenant_id": application.tenant_id,
    }


def own_base(settings: Settings) -> str:
    """Return under which name the node issues what nobody asked it for over HTTP."""
    if settings.http.public_url:
        return settings.http.public_url
    if settings.http.tls_listen is not None:
        return f"https://localhost:{settings.http.tls_listen.port}"
    assert settings.http.listen is not None, "a node listens somewhere"
    return f"http://localhost:{settings.http.listen.port}"


def _own_application(registry: Registry) -> Application:
    """Return the application that stands for the owner of the data folder; it has no secret."""
    try:
        return registry.application(OWN_APPLICATION)
    except NotFound:
        made = registry.register_application(OWN_APPLICATION, tenant=registry.first_tenant())
        registry.assign_role(made.object_id, DATA_OWNER)
        return made
