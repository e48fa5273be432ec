"""The roles that grant data actions, under the names and identifiers of Azure's service (dicom-service 12.1)."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from isocenter.domain.errors import InvalidRequest
from isocenter.domain.principal import OWNER_ACTIONS, READER_ACTIONS, DataAction


@dataclass(frozen=True, slots=True)
class Role:
    """A named set of data actions."""

    name: str
    role_id: str
    """Under which Azure's role assignments know it."""
    data_actions: frozenset[DataAction]
    other_names: tuple[str, ...]
    """What the open-source server and role claims call it."""


DATA_OWNER = Role(
    "DICOM Data Owner",
    "58a3b984-7adf-4c20-983a-32417c86fbc8",
    OWNER_ACTIONS,
    ("globalAdmin", "owner", "DicomDataOwner"),
)
DATA_READER = Role(
    "DICOM Data Reader",
    "e89c7a3c-2f64-4fa1-a847-3e4c9ba4283a",
    READER_ACTIONS,
    ("globalReader", "reader", "DicomDataReader"),
)
ROLES = (DATA_OWNER, DATA_READER)
_BY_NAME = {name.casefold(): role for role in ROLES for name in (role.name, role.role_id, *role.other_names)}


def find_role(text: str) -> Role | None:
    """Return the role of that name, identifier or other name, whatever the case; None where there is none."""
    return _BY_NAME.get(text.strip().casefold())


def parse_role(text: str) -> Role:
    """Return the role of that name; raises InvalidRequest with the nearest known one."""
    role = find_role(text)
    if role is None:
        near = difflib.get_close_matches(text.casefold(), list(_BY_NAME), n=1)
        hint = f" Did you mean {_BY_NAME[near[0]].name!r}?" if near else ""
        raise InvalidRequest(f"There is no role {text!r}; roles are {_listed()}.{hint}")
    return role


def _listed() -> str:
    return " and ".join(repr(role.name) for role in ROLES)
