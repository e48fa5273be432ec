"""Options that say as which user a DIMSE peer is called (PS3.7 D.3.3.7)."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from isocenter.dimse.ul.user_information import UserIdentityRq

VARIABLE = "ISOCENTER_PASSWORD"
USER_OPTIONS = ("user", "password_file", "user_token_file")
"""The names under which a command gets them."""
_NAME_LENGTH_MAX = 1024
_TOKEN_LENGTH_MAX = 16 * 1024
"""The longest that is believed anywhere (identity.token_verifier)."""


def user_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command."""
    for option in (
        click.option(
            "--user-token",
            "user_token_file",
            metavar="FILE",
            help="Show a DIMSE peer the token (JWT) in a file, - for the standard input.",
        ),
        click.option(
            "--password-file",
            metavar="FILE",
            help=f"The user's password, in a file, - for the standard input; or in {VARIABLE}.",
        ),
        click.option(
            "--user",
            metavar="NAME",
            help="The user to name to a DIMSE peer; without a password the name alone is shown.",
        ),
    ):
        command = option(command)
    return command


def peer_user(*, user: str | None, password_file: str | None, user_token_file: str | None) -> UserIdentityRq | None:
    """Return what the options say is to be shown to a peer, with the wish that it confirms it."""
    from isocenter.app.cli.directory import read_secret
    from isocenter.dimse.ul.user_information import UserIdentityRq, UserIdentityType

    if user_token_file is not None:
        if user is not None or password_file is not None:
            raise click.UsageError("--user-token stands alone: a token names its user.")
        token = read_secret(user_token_file, length_max=_TOKEN_LENGTH_MAX).strip()
        return UserIdentityRq(UserIdentityType.JWT, True, token.encode())
    if user is None:
        if password_file is not None:
            raise click.UsageError("--password-file needs --user.")
        return None
    if not user or len(user) > _NAME_LENGTH_MAX:
        raise click.BadParameter("A name of a user is not empty, and not that long.", param_hint="'--user'")
    password = os.environ.get(VARIABLE, "") if password_file is None else read_secret(password_file)
    if not password:
        return UserIdentityRq(UserIdentityType.USERNAME, True, user.encode())
    return UserIdentityRq(UserIdentityType.USERNAME_AND_PASSCODE, True, user.encode(), password.encode())
