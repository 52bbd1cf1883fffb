"""regie wallet renew | refresh | follow | extend: when the register changes, and when an agreement ends."""

import click

from service.command import EXIT_REFUSED, emit
from wallet import show
from wallet.cli_open import with_wallet
from wallet.errand_refresh import choose_follow, refresh_agreement, refresh_agreements
from wallet.errand_renew import renew_cards
from wallet.opened import OpenWallet
from wallet.state import is_running


@click.command("renew")
@with_wallet
def renew(ctx: click.Context, wallet: OpenWallet) -> None:
    """Get cards again that the register has changed since, and renew the agreements that follow."""
    cards, agreements = renew_cards(wallet), refresh_agreements(wallet)
    lines = [f"{item.configuration}: {item.copies} new copies." for item in cards.received]
    lines += [f"{name} is out of date; ask your municipality for a new offer." for name in cards.stuck]
    lines += [f"Renewed with your new data: grant {name}." for name in agreements.renewed]
    lines += [f"{show.ASKS[why]} `regie wallet refresh {name}`" for name, why in agreements.asks]
    lines += [f"Still to be delivered: renewal of {name}." for name in agreements.waiting]
    problems = cards.problems + agreements.problems
    lines += [f"Something is wrong with {about}: {code}." for about, code in problems]
    data = {
        "received": [{"card": item.configuration, "copies": item.copies} for item in cards.received],
        "stuck": cards.stuck,
        "renewed": agreements.renewed,
        "asks": [{"id": name, "why": why} for name, why in agreements.asks],
        "waiting": agreements.waiting,
        "problems": [{"about": about, "code": code} for about, code in problems],
    }
    emit(ctx, "\n".join(lines) or "Nothing has changed.", data)
    if problems:
        ctx.exit(EXIT_REFUSED)


@click.command("refresh")
@click.argument("grant_id", metavar="ID")
@with_wallet
def refresh(ctx: click.Context, wallet: OpenWallet, grant_id: str) -> None:
    """Send your newest data under agreement ID now, whatever you chose for the next time."""
    record = refresh_agreement(wallet, grant_id)
    text = f"{record.agency.name} has your new data under agreement {grant_id}. What it had ends with this."
    data = {"id": grant_id, "version": record.body.terms.version, "slot": record.slot, "state": record.state}
    emit(ctx, text, data)


@click.command("follow")
@click.argument("grant_id", metavar="ID")
@click.argument("choice", type=click.Choice(["yes", "no"]))
@with_wallet
def follow(ctx: click.Context, wallet: OpenWallet, grant_id: str, choice: str) -> None:
    """Whether agreement ID gets your new data by itself when the register changes."""
    record = choose_follow(wallet, grant_id, follow=choice == "yes")
    told = "gets your new data by itself" if record.follow else "gets new data only when you send them"
    emit(ctx, f"{record.agency.name} {told}.", {"id": grant_id, "follows": record.follow is True})


@click.command("extend")
@click.argument("grant_id", metavar="ID")
@with_wallet
def extend(ctx: click.Context, wallet: OpenWallet, grant_id: str) -> None:
    """Say how agreement ID can go on after its end: an agreement never gets longer, a new one takes its place."""
    record = wallet.grant(grant_id)
    terms = record.body.terms
    is_open = is_running(record, wallet.now())
    text = (
        f"Agreement {grant_id} with {record.agency.name} "
        f"{'ends' if is_open else 'ended'} on {show.day(terms.not_after)}. It cannot be made longer: not by you, "
        f"and not by them.\nAsk {record.agency.name} for a new request for {record.service}, and answer it. "
        f"Reference: {terms.service} version {terms.service_version}, place {record.slot} in the log {terms.log}."
    )
    data = {
        "id": grant_id,
        "until": terms.not_after,
        "running": is_open,
        "agency": record.agency.id,
        "service": terms.service,
        "slot": record.slot,
        "log": terms.log,
    }
    emit(ctx, text, data)
