"""regie wallet: from an empty wallet to a grant. What comes after stands in `cli_after`."""

import re
import sys
from datetime import date
from pathlib import Path
from typing import Any, get_args

import click

from protocol.canonical import parse_object
from protocol.openid4vp import VerifiedRequest
from protocol.revocation_code import format_code, format_paper_qr
from protocol.terms import Context, Zone
from service.command import command, emit, read_input
from service.home import Home
from wallet import errand_grant, errand_request, show, show_request
from wallet.cli_open import PROFILE, passphrase_option, read_link, read_passphrase, with_wallet
from wallet.config import WalletConfig
from wallet.errand_profile import profile_of
from wallet.errand_sync import deliver_stops
from wallet.grant import latest_end
from wallet.opened import OpenWallet, create_wallet
from wallet.pick import Picked
from wallet.present import NO_WAY_BACK
from wallet.profile import propose_until
from wallet.records import Choice, ShareChoice

_WEEKDAYS = frozenset("1234567")
_SPAN = re.compile(r"([0-9]{1,2})-([0-9]{1,2})")


def _is_terminal() -> bool:
    return sys.stdin.isatty()


def _ask(wallet: OpenWallet, request: VerifiedRequest, picked: Picked | None, *, yes: bool) -> None:
    """On a terminal show the request and ask; in a script the command is the yes."""
    if yes or not _is_terminal():
        return
    click.echo(show_request.request_text(_told(wallet, request, picked)), err=True)
    click.confirm("Do you want this?", abort=True, err=True)


def _proposed(wallet: OpenWallet, request: VerifiedRequest, mandate: str | None) -> date | None:
    """On a terminal: the earlier last day of the resident's profile, if taken. A script says what it means."""
    latest = latest_end(request, wallet.now())
    if latest is not None and mandate is not None:
        latest = min(latest, wallet.mandate(mandate)[1].until)
    day = propose_until(profile_of(wallet), latest, wallet.now())
    words = f"Your profile proposes {day} as the last day, and they ask for longer. Take it?"
    return day if day is not None and click.confirm(words, default=True, err=True) else None


def _told(wallet: OpenWallet, request: VerifiedRequest, picked: Picked | None = None) -> dict[str, Any]:
    known = errand_request.is_known(wallet, request.asker.id)
    return show_request.request_data(request, wallet.copies(), wallet.now(), is_known=known, picked=picked)


@click.command("init")
@click.option("--trust-list", required=True, metavar="LOC", help="Path or URL of the trust list.")
@click.option("--registrar", required=True, metavar="FILE", help="The registrar's public key (JWK).")
@click.option("--profile", type=PROFILE, default="standard", show_default=True, help="Price of a guess.")
@passphrase_option
@command
def init(
    ctx: click.Context, home: Home, trust_list: str, registrar: str, profile: str, passphrase_file: str | None
) -> None:
    """Make an empty wallet under a passphrase of your own."""
    if not trust_list.startswith(("https://", "http://")):
        trust_list = str(Path(trust_list).absolute())
    config = WalletConfig("wallet", trust_list, parse_object(read_input(registrar)))
    create_wallet(home, config, read_passphrase(passphrase_file, new=True), profile)
    text = f"Your wallet is ready in {home.path}. Nobody can recover your passphrase: write it down, make backups."
    emit(ctx, text, {"home": str(home.path)})


@click.command("cards")
@click.option("--values", is_flag=True, help="Show what is on them too.")
@with_wallet
def cards(ctx: click.Context, wallet: OpenWallet, values: bool) -> None:
    """List your cards."""
    data = show.cards_data(wallet.copies(), wallet.now(), values=values)
    emit(ctx, show.cards_text(data), {"cards": data})


@click.command("inspect")
@click.argument("request")
@with_wallet
def inspect(ctx: click.Context, wallet: OpenWallet, request: str) -> None:
    """Show who asks what, why and how long. Gives nothing."""
    link = read_link(request)
    deliver_stops(wallet)
    data = _told(wallet, errand_request.read_request(wallet, link))
    emit(ctx, show_request.request_text(data), data)


def _date(ctx: click.Context, param: click.Parameter, value: str | None) -> date | None:
    try:
        return None if value is None else date.fromisoformat(value)
    except ValueError as error:
        raise click.BadParameter("write a date as 2027-05-22", ctx, param) from error


def _days(ctx: click.Context, param: click.Parameter, value: str | None) -> list[int] | None:
    """`1-5` or `1,3` as ISO weekdays, ascending."""
    if value is None:
        return None
    first, is_range, last = value.partition("-")
    parts = value.split(",")
    if is_range and first in _WEEKDAYS and last in _WEEKDAYS and first <= last:
        return list(range(int(first), int(last) + 1))
    if not all(part in _WEEKDAYS for part in parts):
        raise click.BadParameter("write days as 1-5 or 1,3; 1 is Monday", ctx, param)
    return sorted({int(part) for part in parts})


def _hours(ctx: click.Context, param: click.Parameter, value: str | None) -> list[int] | None:
    """`8-18` as [8, 18]."""
    if value is None:
        return None
    found = _SPAN.fullmatch(value)
    hours = [int(part) for part in found.groups()] if found else []
    if not hours or not 0 <= hours[0] < hours[1] <= 24:
        raise click.BadParameter("write hours as 8-18", ctx, param)
    return hours


@click.command("grant")
@click.argument("request")
@click.option("--without", "without", multiple=True, metavar="ATTR", help="Leave out postcode or adres.postcode.")
@click.option("--until", metavar="DATE", callback=_date, help="Last day, as 2027-05-22; never later than asked.")
@click.option("--max-reads", type=int, metavar="N", help="How often the agency may look; never more than asked.")
@click.option(
    "--days", metavar="DAYS", callback=_days, help="Only on these ISO weekdays, as 1-5 or 1,3 (1: Monday)."
)
@click.option(
    "--hours", metavar="HOURS", callback=_hours, help="Only within these hours, as 8-18 (Europe/Amsterdam)."
)
@click.option("--zone", type=click.Choice(get_args(Zone)), help="Only from there.")
@click.option("--for", "mandate", metavar="ID", help="For somebody else, under this mandate.")
@click.option("--yes", is_flag=True, help="Do not ask on a terminal.")
@with_wallet
def grant(
    ctx: click.Context,
    wallet: OpenWallet,
    request: str,
    without: tuple[str, ...],
    until: date | None,
    max_reads: int | None,
    days: list[int] | None,
    hours: list[int] | None,
    zone: Zone | None,
    mandate: str | None,
    yes: bool,
) -> None:
    """Let an agency look, until you stop it. Prints the code for your papers."""
    link = read_link(request)
    deliver_stops(wallet)
    context = Context(days=days, hours=hours, zone=zone)
    wallet.check_searched()
    asked = errand_request.read_request(wallet, link)
    if until is None and not yes and _is_terminal():
        until = _proposed(wallet, asked, mandate)
    choice = Choice(without, until, max_reads, None if context == Context() else context)
    given = errand_grant.allow(
        wallet, asked, choice, lambda request: _ask(wallet, request, None, yes=yes), mandate=mandate
    )
    record, terms = given.record, given.record.body.terms
    code = wallet.code(record)
    log_url = wallet.known_log(terms.log).log.url
    data = {
        **show.grant_data(given.id, record, wallet.now()),
        "code": format_code(code),
        "qr": format_paper_qr(log_url, code),
        "redirect": given.redirect,
    }
    state = "" if record.state == "active" else f" Beware: {show.state_text(record, wallet.now())}."
    only = f" Only {show.context_text(data['context'])}." if data["context"] else ""
    text = (
        f"Grant {given.id}: {record.agency.name} may look until {show.day(terms.not_after)}.{only}{state}\n"
        f"Stop it with: regie wallet revoke {given.id}\n"
        f"Keep this code on paper: it stops the grant from any wallet or the agency's desk:\n{format_code(code)}"
    )
    emit(ctx, _with_redirect(text, given.redirect), data)


@click.command("present")
@click.argument("request")
@click.option("--card", "cards", multiple=True, metavar="[ID=]CARD", help="Answer (query ID) with this card.")
@click.option("--optional", is_flag=True, help="Give also what the asker can do without.")
@click.option("--unregistered", is_flag=True, help="Even to a stranger without a registration.")
@click.option("--secret", is_flag=True, help="Data that the register keeps secret, even to a private party.")
@click.option("--reuse", is_flag=True, help="Of a stranger's card show a copy that somebody else has, if need be.")
@click.option("--yes", is_flag=True, help="Do not ask on a terminal.")
@with_wallet
def present(
    ctx: click.Context,
    wallet: OpenWallet,
    request: str,
    cards: tuple[str, ...],
    optional: bool,
    unregistered: bool,
    secret: bool,
    reuse: bool,
    yes: bool,
) -> None:
    """Give a copy once. A copy cannot be taken back."""
    link = read_link(request)
    deliver_stops(wallet)
    choice = ShareChoice(cards, optional, unregistered, reuse, secret)
    shared = errand_request.share_once(
        wallet, link, lambda asked, picked: _ask(wallet, asked, picked, yes=yes), choice=choice
    )
    asker = shared.request.asker
    text = f"{asker.name} has a copy of {', '.join(shared.attributes)}. {NO_WAY_BACK}"
    data = {
        "agency": {"id": asker.id, "name": asker.name},
        "listed": asker.is_listed,
        "attributes": shared.attributes,
        "redirect": shared.redirect,
        "warning": NO_WAY_BACK,
    }
    emit(ctx, _with_redirect(text, shared.redirect), data)


def _with_redirect(text: str, redirect: str | None) -> str:
    return f"{text}\nGo on at: {redirect}" if redirect else text


@click.command("decline")
@click.argument("request")
@with_wallet
def decline(ctx: click.Context, wallet: OpenWallet, request: str) -> None:
    """Say no. The asker does not learn why, nor what you hold."""
    link = read_link(request)
    deliver_stops(wallet)
    answered, redirect = errand_request.decline(wallet, link)
    text = f"You said no to {answered.asker.name}. Nothing was given."
    data = {"declined": True, "agency": {"id": answered.asker.id}, "redirect": redirect}
    emit(ctx, _with_redirect(text, redirect), data)


@click.command("grants")
@with_wallet
def grants(ctx: click.Context, wallet: OpenWallet) -> None:
    """List who may look."""
    data = [show.grant_data(grant_id, record, wallet.now()) for grant_id, record in wallet.grants().items()]
    emit(ctx, show.grants_text(data), {"grants": data})
