"""regie wallet: getting cards, by an offer or by asking, and getting more of them before they run out."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import click

from protocol.issuer_jwt import NO_END
from service.command import emit, read_secret
from wallet import errand_check, errand_receive, errand_refill, show
from wallet.cli_open import read_link, with_wallet
from wallet.errand_receive import Received
from wallet.errand_sync import deliver_stops
from wallet.loopback import LOGIN_SECONDS, LoopbackBrowser
from wallet.opened import OpenWallet


def _browser(wallet: OpenWallet, wait: int) -> LoopbackBrowser:
    """The address goes to the terminal even where stdout is for a program."""

    def put(url: str) -> None:
        click.echo(f"Log in at the issuer; open this address in your browser:\n{url}", err=True)

    return LoopbackBrowser(put, wallet.random, seconds=wait)


_wait = click.option(
    "--wait",
    type=click.IntRange(1, 3600),
    default=LOGIN_SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for a login.",
)


@click.command("receive")
@click.argument("offer")
@click.option("--tx-code", metavar="CODE", help="The code that came another way; - reads it from stdin.")
@_wait
@with_wallet
def receive(ctx: click.Context, wallet: OpenWallet, offer: str, tx_code: str | None, wait: int) -> None:
    """Fetch the cards that an issuer offers: OFFER is its link, or - for stdin."""
    link = read_link(offer)
    code = None if tx_code is None else read_secret(tx_code, name="code")
    deliver_stops(wallet)
    with closing(_browser(wallet, wait)) as browser:
        _tell(ctx, errand_receive.receive(wallet, link, code, browser))


@click.command("get")
@click.argument("issuer")
@click.argument("cards", nargs=-1, required=True)
@_wait
@with_wallet
def get(ctx: click.Context, wallet: OpenWallet, issuer: str, cards: Sequence[str], wait: int) -> None:
    """Ask the ISSUER (its address) for CARDS by their names there, such as adres. You log in at the issuer."""
    deliver_stops(wallet)
    with closing(_browser(wallet, wait)) as browser:
        _tell(ctx, errand_receive.get(wallet, issuer, cards, browser))


@click.command("refill")
@click.option("--all", "everything", is_flag=True, help="Also cards that do not run low.")
@with_wallet
def refill(ctx: click.Context, wallet: OpenWallet, everything: bool) -> None:
    """Get new copies of cards that run low or end soon, and cards that an issuer put off. No login needed."""
    deliver_stops(wallet)
    report = errand_refill.refill(wallet, everything=everything)
    lines = list(_sentences(report.received))
    lines += [f"{name} is not ready yet; ask again later." for name in report.waiting]
    lines += [f"{name} will not come: the issuer does not make it." for name in report.ended]
    lines += [f"{what}: {code}" for what, code in report.problems]
    data = {
        "received": [_data(item) for item in report.received],
        "waiting": report.waiting,
        "ended": report.ended,
        "problems": [{"what": what, "code": code} for what, code in report.problems],
    }
    emit(ctx, "\n".join(lines) or "Nothing to do: no card runs low.", data)


_WORDS = {
    "valid": "valid",
    "revoked": "revoked by the issuer",
    "suspended": "suspended by the issuer",
    "untrusted": "expired or of an issuer that is not trusted",
    "unknown": "of which the issuer's list says nothing now",
}


@click.command("check")
@with_wallet
def check(ctx: click.Context, wallet: OpenWallet) -> None:
    """Look up whether your cards still count. Revoked copies that nobody has seen are thrown away."""
    deliver_stops(wallet)
    checked = errand_check.check_cards(wallet)
    lines = []
    for item in checked:
        counts = ", ".join(f"{count} {_WORDS[standing]}" for standing, count in item.copies.items())
        lines.append(f"{item.card} from {item.issuer}: {counts}")
        if item.thrown:
            lines.append(f"    {item.thrown} thrown away; get new ones: regie wallet refill")
    cards = [
        {"card": item.card, "issuer": item.issuer, "copies": dict(item.copies), "thrown": item.thrown}
        for item in checked
    ]
    emit(ctx, "\n".join(lines) or "You have no cards yet.", {"cards": cards})


def _tell(ctx: click.Context, received: Sequence[Received]) -> None:
    emit(ctx, "\n".join(_sentences(received)), {"received": [_data(item) for item in received]})


def _sentences(received: Sequence[Received]) -> Iterator[str]:
    for item in received:
        name = f"{item.configuration} ({item.title})" if item.title else item.configuration
        if item.awaited:
            later = show.moment(item.exp)
            yield f"{item.issuer} makes {name} later; from {later} on: regie wallet refill"
        else:
            until = f"valid until {show.day(item.exp)}" if item.exp < NO_END else "without an end"
            yield f"You have {name} from {item.issuer}: {item.copies} copies, {until}."


def _data(item: Received) -> dict[str, Any]:
    data = {"card": item.configuration, "issuer": item.issuer, "copies": item.copies}
    return {**data, "ask_again": item.exp} if item.awaited else {**data, "until": item.exp}
