"""regie issuer: login of residents by OpenID Connect, and what can be fetched with it."""

import secrets
from typing import Literal, get_args

import click
from msgspec.structs import replace

from issuer.config import IssuerConfig, Loa, LoginConfig, made_here
from issuer.offer import check_made
from issuer.signing import LOGIN_SECRET, make_login_key
from issuer.web_oauth import CALLBACK
from protocol.errors import Rejected
from protocol.issuer_metadata import check_url
from protocol.openid4vci import AuthorizationCodeGrant, CredentialOffer, OfferGrants, offer_link
from protocol.openid_connect import Algorithm
from service.command import command, emit, read_secret
from service.home import Home


def _levels(pairs: tuple[str, ...]) -> dict[str, Loa]:
    levels: dict[str, Loa] = {}
    for pair in pairs:
        acr, _, loa = pair.rpartition("=")
        if not acr or loa not in get_args(Loa):
            raise click.UsageError(f"a level is ACR={'|'.join(get_args(Loa))}")
        levels[acr] = loa  # type: ignore[assignment] # it was just compared
    return levels


@click.command("login")
@click.option("--provider", required=True, help="Issuer identifier of the OpenID provider.")
@click.option("--client-id", required=True, help="What this issuer is called there.")
@click.option(
    "--level", "levels", multiple=True, required=True, metavar="ACR=LOA", help="low, substantial or high."
)
@click.option("--bsn-claim", default="bsn", show_default=True, help="Claim that holds the BSN.")
@click.option("--scope", default="openid", show_default=True)
@click.option("--signing-alg", type=click.Choice(get_args(Algorithm)), default="ES256", show_default=True)
@click.option("--client-secret", help="In place of a key; - reads it from stdin.")
@click.option("--redirect-uri", "redirect_uris", multiple=True, help="Of a wallet that is not on the device.")
@command
def login(
    ctx: click.Context,
    home: Home,
    provider: str,
    client_id: str,
    levels: tuple[str, ...],
    bsn_claim: str,
    scope: str,
    signing_alg: Algorithm,
    client_secret: str | None,
    redirect_uris: tuple[str, ...],
) -> None:
    """Let residents log in at an OpenID provider; print what to register there. Restart the issuer afterwards."""
    config = home.config(IssuerConfig)
    if config.trust_list is None or config.registrar is None:
        raise Rejected("no_trust_list", "login needs a trust list in config.json: it says who attests wallets")
    check_url(provider, "bad_url")
    auth: Literal["private_key_jwt", "client_secret_basic"] = "client_secret_basic"
    if client_secret is None:
        auth = "private_key_jwt"
    else:
        home.write_secret(LOGIN_SECRET, read_secret(client_secret, name="client secret").encode())
    key = make_login_key(home, secrets.token_bytes)
    made = LoginConfig(
        provider=provider,
        client_id=client_id,
        levels=_levels(levels),
        bsn_claim=bsn_claim,
        scope=scope,
        signing_alg=signing_alg,
        client_auth=auth,
        redirect_uris=list(redirect_uris),
    )
    home.write_config(replace(config, login=made))
    registration = {"client_id": client_id, "redirect_uri": config.url + CALLBACK, "auth": auth}
    jwk = {**key.jwk(), "kid": key.thumbprint(), "alg": "ES256", "use": "sig"}
    lines = [f"Register at {provider}:", *(f"  {name}: {value}" for name, value in registration.items())]
    if auth == "private_key_jwt":
        lines.append(f"  key: {home.write_json('login-key.jwk', jwk)}")
    emit(ctx, "\n".join(lines), {**registration, **({"jwk": jwk} if auth == "private_key_jwt" else {})})


@click.command("invite")
@click.option(
    "--credential", "credentials", multiple=True, help="One that this issuer makes, as persoon; all without it."
)
@command
def invite(ctx: click.Context, home: Home, credentials: tuple[str, ...]) -> None:
    """Print a link for everybody: it names nobody, and who opens it in a wallet logs in."""
    config = home.config(IssuerConfig)
    if config.login is None:
        raise Rejected("no_login", "residents cannot log in here: regie issuer login")
    names = list(dict.fromkeys(credentials)) or list(made_here(config))
    check_made(names, config.credentials)
    link = offer_link(CredentialOffer(config.url, names, OfferGrants(authorization_code=AuthorizationCodeGrant())))
    emit(ctx, link, {"offer": link})
