"""`regie ROLE staff`: sign-in of staff for a role's face, the same command for every role that has one.

group.add_command(staff_command(VerifierConfig, mount="/desk", roles=("clerk", "manager", "privacy")))
"""

import secrets
from collections.abc import Sequence
from typing import Any, Literal, get_args

import click
import msgspec
from msgspec.structs import replace

from protocol.errors import Rejected
from protocol.issuer_metadata import check_url
from protocol.openid_connect import Algorithm
from service.command import command, emit, read_secret
from service.home import Home
from service.staff import StaffConfig
from service.staff_keys import STAFF_SECRET, make_staff_key

CALLBACK = "/sign-in/callback"
"""Below where the face is mounted; `service.ui.staff` answers there."""


def staff_command(
    kind: type[msgspec.Struct], *, mount: str, roles: Sequence[str], address: str = "url"
) -> click.Command:
    """The command of a role whose `config.json` is a `kind` with `staff` and, as `address`, the URL of its face,
    which is there at `mount`.
    """

    @click.command("staff")
    @click.option("--provider", required=True, help="Issuer identifier of the organisation's OpenID provider.")
    @click.option("--client-id", required=True, help="What this program is called there.")
    @click.option("--role-claim", default="roles", show_default=True, help="Claim with the groups of an account.")
    @click.option(
        "--role", "pairs", multiple=True, required=True, metavar="VALUE=ROLE", help=f"ROLE: {', '.join(roles)}."
    )
    @click.option("--id-claim", default="sub", show_default=True, help="Who it is, in what is written down.")
    @click.option("--name-claim", default="name", show_default=True, help="Name on the screen.")
    @click.option("--level", "levels", multiple=True, metavar="ACR", help="Accepted ways to sign in; else all.")
    @click.option("--scope", default="openid profile", show_default=True)
    @click.option("--signing-alg", type=click.Choice(get_args(Algorithm)), default="ES256", show_default=True)
    @click.option("--client-secret", help="In place of a key; - reads it from stdin.")
    @command
    def staff(
        ctx: click.Context,
        home: Home,
        /,
        pairs: tuple[str, ...],
        levels: tuple[str, ...],
        client_secret: str | None,
        **settings: Any,
    ) -> None:
        """Let staff sign in at an OpenID provider; print what to register there. Restart the server afterwards."""
        config = home.config(kind)
        if getattr(config, address) is None:
            raise Rejected("no_url", f"config.json does not say where the face is: set {address}")
        check_url(settings["provider"], "bad_url")
        auth: Literal["private_key_jwt", "client_secret_basic"] = "private_key_jwt"
        if client_secret is not None:
            auth = "client_secret_basic"
            home.write_secret(STAFF_SECRET, read_secret(client_secret, name="client secret").encode())
        key = make_staff_key(home, secrets.token_bytes)
        made = StaffConfig(roles=_roles(pairs, roles), levels=list(levels), client_auth=auth, **settings)
        home.write_config(replace(config, staff=made))
        url = getattr(config, address) + mount
        told = {"client_id": made.client_id, "redirect_uri": url + CALLBACK, "auth": auth}
        jwk = {**key.jwk(), "kid": key.thumbprint(), "alg": "ES256", "use": "sig"}
        lines = [f"Staff sign in at {url}/", f"Register at {made.provider}:"]
        lines += [f"  {name}: {value}" for name, value in told.items()]
        if auth == "private_key_jwt":
            lines.append(f"  key: {home.write_json('staff-key.jwk', jwk)}")
        emit(
            ctx,
            "\n".join(lines),
            {**told, "url": f"{url}/", **({"jwk": jwk} if auth == "private_key_jwt" else {})},
        )

    return staff


def _roles(pairs: Sequence[str], roles: Sequence[str]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        value, _, role = pair.rpartition("=")
        if not value or role not in roles:
            raise click.UsageError(f"a role is VALUE={'|'.join(roles)}")
        found[value] = role
    return found
