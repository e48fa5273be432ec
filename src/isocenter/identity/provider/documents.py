"""What the provider publishes: discovery documents of both versions, the instance's, and its keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from isocenter.identity.access_token import TokenVersion, issuer_of
from isocenter.identity.key_ring import ALGORITHM


def discovery_document(base: str, tenant_id: str, version: TokenVersion) -> Mapping[str, Any]:
    """Return the OpenID configuration of a tenant (OpenID Connect Discovery 1.0)."""
    tenant = f"{base}/{tenant_id}"
    in_path = "/v2.0" if version is TokenVersion.V2 else ""
    return {
        "issuer": issuer_of(base, tenant_id, version),
        "authorization_endpoint": f"{tenant}/oauth2{in_path}/authorize",
        "token_endpoint": f"{tenant}/oauth2{in_path}/token",
        "jwks_uri": f"{tenant}/discovery{in_path}/keys",
        "end_session_endpoint": f"{tenant}/oauth2{in_path}/logout",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic", "none"],
        "grant_types_supported": ["client_credentials", "authorization_code", "refresh_token"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": ["openid", "profile", "offline_access"],
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "nonce", "name", "preferred_username", "oid", "tid"],
        "http_logout_supported": False,
        "frontchannel_logout_supported": False,
        "tenant_region_scope": None,
        "cloud_instance_name": urlsplit(base).netloc,
    }


def instance_document(base: str, tenant_id: str) -> Mapping[str, Any]:
    """Return what tells a client that this authority is known, and by which names."""
    host = urlsplit(base).netloc
    return {
        "tenant_discovery_endpoint": f"{base}/{tenant_id}/v2.0/.well-known/openid-configuration",
        "api-version": "1.1",
        "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
    }


def keys_document(keys: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the published keys (RFC 7517 5)."""
    return {"keys": list(keys)}
