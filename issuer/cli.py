"""regie issuer: the desk of a base register."""

import datetime
import secrets
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import click

from issuer import cli_clerk, cli_connect, cli_login, cli_mandate, cli_paper, store
from issuer.brp import MAX_PERSON_BYTES, parse_bsn
from issuer.config import COUNTER, IssuerConfig, Loa, check_issuer_url, database_url, made_here
from issuer.offer import BRP_CREDENTIALS
from issuer.revoke import MAX_REASON
from issuer.signing import make_keys
from issuer.web import open_office
from protocol.canonical import parse_object, to_builtins
from protocol.errors import Rejected
from protocol.openid4vci import offer_link, offer_reference_link
from service.app import serve as run_server
from service.cli_staff import staff_command
from service.command import command, emit, progress, read_input, read_secret, tls_of, tls_options
from service.database import engine_for
from service.home import CONFIG, Home

DEFAULT_PORT = 8080


@click.group()
def group() -> None:
    """Sign attributes of a base register."""


@group.command("init")
@click.option("--url", required=True, help="Issuer identifier: where this issuer is reached.")
@click.option("--name", required=True, help="Name that residents see.")
@click.option("--loa", type=click.Choice(["low", "substantial", "high"]), default="substantial", show_default=True)
@click.option("--trust-list", help="Path or URL of the trust list.")
@click.option("--registrar", help="File with the registrar's public key (JWK).")
@click.option(
    "--credential", "credentials", multiple=True, help="What it makes; persoon, adres, gezin, gezag without."
)
@command
def init(
    ctx: click.Context,
    home: Home,
    url: str,
    name: str,
    loa: Loa,
    trust_list: str | None,
    registrar: str | None,
    credentials: tuple[str, ...],
) -> None:
    """Make keys and an empty register; print the entry for the trust list."""
    home.create()
    if home.has(CONFIG):
        raise Rejected("exists", f"{home.path} has been initialised before")
    if not name.strip() or len(name) > 256 or not name.isprintable():
        raise click.UsageError("a name has 1 to 256 printable characters")
    config = IssuerConfig(
        role="issuer",
        url=check_issuer_url(url),
        name=name.strip(),
        loa=loa,
        trust_list=trust_list,
        registrar=None if registrar is None else parse_object(read_input(registrar)),
        credentials=tuple(dict.fromkeys(credentials)) or BRP_CREDENTIALS,
    )
    made_here(config)
    entry = make_keys(home, config, now=int(time.time()), random=secrets.token_bytes)
    store.create_tables(engine_for(database_url(home, config)))
    path = home.write_json("entry.json", entry)
    home.write_config(config)  # last: a home without it counts as not initialised
    emit(ctx, f"Issuer {url} is ready. For the registrar: {path}", {"entry": to_builtins(entry)})


@group.command("import")
@click.argument("source", type=click.Path(allow_dash=True))
@command
def import_(ctx: click.Context, home: Home, source: str) -> None:
    """Take persons into the register: SOURCE has one JSON a line, as BRP API Personen answers; `-` is stdin."""
    office = open_office(home, home.config(IssuerConfig))
    try:
        found = office.take_persons(_lines(source))
    except FileNotFoundError as error:
        raise click.UsageError(f"{source}: {error.strerror}") from error
    for number, reason in found.refused:
        progress(ctx, f"line {number} refused: {reason}")
    refusals = [{"line": number, "code": reason.code} for number, reason in found.refused]
    changed = found.changed
    told = f" Copies out of date: {changed.superseded}; revoked: {changed.revoked}."
    emit(
        ctx,
        f"{found.taken} persons taken, {len(refusals)} refused."
        + (told if changed.superseded or changed.revoked else ""),
        {
            "imported": found.taken,
            "refused": len(refusals),
            "refusals": refusals,
            "superseded": changed.superseded,
            "revoked": changed.revoked,
        },
    )
    if refusals:
        ctx.exit(1)


def _lines(source: str) -> Iterator[bytes]:
    """Lines, each read no further than a person may be long: the rest of a longer one follows as a bad line."""
    with click.open_file(source, "rb") as stream:
        while line := stream.readline(MAX_PERSON_BYTES + 2):
            yield line


@group.command("offer")
@click.option("--bsn", required=True, help="Whose; - reads it from stdin.")
@click.option(
    "--credential", "credentials", multiple=True, help="One that this issuer makes, as persoon; all without it."
)
@click.option("--replaces", metavar="ID", help="Issue again what was issued under ID: grants can be refreshed.")
@click.option("--by-value", is_flag=True, help="Put the offer itself into the link, not its address.")
@click.option("--although-deceased", is_flag=True, help="Also for who died: for registers of test persons.")
@command
def offer(
    ctx: click.Context,
    home: Home,
    bsn: str,
    credentials: tuple[str, ...],
    replaces: str | None,
    by_value: bool,
    although_deceased: bool,
) -> None:
    """Offer a resident credentials: prints a link, and the code to be given in another way."""
    known = parse_bsn(read_secret(bsn, name="BSN"))
    config = home.config(IssuerConfig)
    office = open_office(home, config)
    names = tuple(dict.fromkeys(credentials)) or office.credentials
    made, tx_code = office.offer(known, names, replaces=replaces, although_deceased=although_deceased)
    link = offer_link(office.message(made)) if by_value else offer_reference_link(f"{config.url}/offers/{made.id}")
    emit(
        ctx,
        f"{link}\nCode for the resident, by another way: {tx_code}\nValid for a quarter of an hour. Id: {made.id}",
        {"offer": link, "tx_code": tx_code, "id": made.id},
    )


@group.command("issued")
@click.option("--bsn", required=True, help="Whose; - reads it from stdin.")
@command
def issued(ctx: click.Context, home: Home, bsn: str) -> None:
    """List what a resident was given, with the ids that `revoke` takes."""
    known = parse_bsn(read_secret(bsn, name="BSN"))
    found = open_office(home, home.config(IssuerConfig)).issued(known)
    lines = [
        f"{item.offer_id}  {_day(item.issued)}  {item.configuration}: {item.copies} copies, {item.revoked} revoked"
        for item in found
    ]
    emit(ctx, "\n".join(lines) or "Nothing was issued yet.", {"issued": [_issuance(item) for item in found]})


def _day(time_: int) -> str:
    return datetime.datetime.fromtimestamp(time_, datetime.UTC).date().isoformat()


def _issuance(item: store.Issuance) -> dict[str, str | int]:
    return {
        "id": item.offer_id,
        "credential": item.configuration,
        "day": _day(item.issued),
        "copies": item.copies,
        "revoked": item.revoked,
    }


@group.command("revoke")
@click.argument("issuance_id", metavar="ID")
@click.option("--reason", required=True, help="Kept here; not published.")
@command
def revoke(ctx: click.Context, home: Home, issuance_id: str, reason: str) -> None:
    """Revoke every copy that was issued under ID, for ever."""
    if not 0 < len(reason) <= MAX_REASON:
        raise click.UsageError(f"a reason has 1 to {MAX_REASON} characters")
    copies, changed = open_office(home, home.config(IssuerConfig)).revoke(issuance_id, reason)
    emit(ctx, f"{changed} of {copies} copies are now revoked.", {"copies": copies, "revoked": changed})


@group.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), help="Default: the port of the issuer's URL.")
@tls_options
@command
def serve(ctx: click.Context, home: Home, host: str, port: int | None) -> None:
    """Answer wallets, and staff at the counter, until stopped."""
    config = home.config(IssuerConfig)
    run_server(
        "issuer.front:create",
        home.path,
        host,
        port if port is not None else urlsplit(config.url).port or DEFAULT_PORT,
        tls=tls_of(ctx),
    )


for _command in (
    cli_connect.connect,
    cli_clerk.hold,
    cli_clerk.release,
    cli_clerk.waiting,
    cli_clerk.approve,
    cli_clerk.deny,
    cli_login.login,
    cli_login.invite,
    cli_mandate.mandate,
    cli_paper.stop_paper,
    staff_command(IssuerConfig, mount=COUNTER, roles=("clerk", "manager")),
):
    group.add_command(_command)
