"""regie wallet: acting for somebody else, and letting somebody act for you."""

import sys
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import click

from protocol.attributes import CREDENTIAL_TYPES
from protocol.mandate import MandateClaims, MandateService
from service.command import emit, read_secret
from wallet import errand_joint, errand_mandate, show, show_mandate
from wallet.cli_open import with_wallet
from wallet.errand_sync import deliver_stops
from wallet.opened import OpenWallet

_AMSTERDAM = ZoneInfo("Europe/Amsterdam")
_BY_NAME = {kind.configuration_id: kind for kind in CREDENTIAL_TYPES.values()}


@click.command("mandates")
@click.option("--ask", is_flag=True, help="Ask the register whom you may act for, and who acts for you.")
@with_wallet
def mandates(ctx: click.Context, wallet: OpenWallet, ask: bool) -> None:
    """List for whom you act, and who acts for you."""
    deliver_stops(wallet)
    found = errand_mandate.represented(wallet) if ask else []
    held = [show_mandate.mandate_data(wallet, key) for key in wallet.mandates()]
    told = [show_mandate.found_data(one, wallet.mandates()) for one in found]
    emit(ctx, show_mandate.mandates_text(held, told, asked=ask), {"mandates": held, "representations": told})


@click.group("mandate")
def mandate() -> None:
    """Take, give and end the right to act for somebody."""


@mandate.command("take")
@click.argument("reference")
@click.option("--issuer", metavar="URL", help="Who said so, if you have cards of more than one register.")
@with_wallet
def take(ctx: click.Context, wallet: OpenWallet, reference: str, issuer: str | None) -> None:
    """Take what `regie wallet mandates --ask` shows as REFERENCE, with the cards that come with it."""
    deliver_stops(wallet)
    taken = errand_mandate.take_mandate(wallet, reference, issuer=issuer)
    data = show_mandate.mandate_data(wallet, taken.hash)
    cards = {item.configuration: item.copies for item in taken.received}
    emit(ctx, show_mandate.taken_text(data, cards), {**data, "cards": cards})


@mandate.command("invite")
@click.option("--issuer", metavar="URL", help="Of which register, if you have cards of more than one.")
@with_wallet
def invite(ctx: click.Context, wallet: OpenWallet, issuer: str | None) -> None:
    """Offer to help somebody: prints an invitation to give to that person."""
    made = errand_mandate.invite(wallet, issuer=issuer)
    text = (
        "Give this to the person whom you will help; it is good for one wish:\n"
        f"{made.invitation}\nUntil {show.day(made.expires)}."
    )
    emit(ctx, text, {"invitation": made.invitation, "expires": made.expires})


@mandate.command("wish")
@click.argument("invitation")
@click.option("--service", "services", multiple=True, required=True, metavar="OIN/ID", help="For which service.")
@click.option("--attribute", "attributes", multiple=True, metavar="ATTR", help="Only this, as adres.postcode.")
@click.option("--until", required=True, metavar="DATE", help="Last day, as 2027-05-22.")
@click.option("--yes", is_flag=True, help="Do not ask on a terminal.")
@click.option("--issuer", metavar="URL", help="Of which register, if you have cards of more than one.")
@with_wallet
def wish(
    ctx: click.Context,
    wallet: OpenWallet,
    invitation: str,
    services: Sequence[str],
    attributes: Sequence[str],
    until: str,
    yes: bool,
    issuer: str | None,
) -> None:
    """Let who gave you INVITATION act for you, for the services that you name."""
    code = read_secret(invitation, name="invitation")
    end, named = end_of(until), [service_named(text) for text in services]
    claims = claims_named(attributes) or None
    helper = errand_mandate.look_up(wallet, code, issuer=issuer)
    if not yes and sys.stdin.isatty():
        click.confirm(f"Do you want {helper.name} to act for you?", abort=True, err=True)
    made = errand_mandate.wish(wallet, code, named, end, claims, issuer=issuer)
    text = (
        f"{made.name} may act for you until {show.day(made.until)}. To see and stop what happens, take "
        "this mandate too: regie wallet mandates --ask"
    )
    emit(ctx, text, {"id": made.id, "name": made.name, "until": made.until})


@mandate.command("end")
@click.argument("name", metavar="ID")
@with_wallet
def end(ctx: click.Context, wallet: OpenWallet, name: str) -> None:
    """End mandate ID, and stop everything that was given under it. Either side may."""
    record = errand_mandate.end_mandate(wallet, name)
    key = wallet.mandate(name)[0]
    text = f"Mandate {record.number} for {record.name} is over. Nobody can act under it any more."
    emit(ctx, text, show_mandate.mandate_data(wallet, key))


@click.command("proposals")
@with_wallet
def proposals(ctx: click.Context, wallet: OpenWallet) -> None:
    """List what others under a mandate ask you to sign too."""
    data = [show_mandate.proposal_data(one) for one in errand_joint.proposals(wallet)]
    emit(ctx, show_mandate.proposals_text(data), {"proposals": data})


@click.command("agree")
@click.argument("number", type=int)
@click.option("--yes", is_flag=True, help="Do not ask on a terminal.")
@with_wallet
def agree(ctx: click.Context, wallet: OpenWallet, number: int, yes: bool) -> None:
    """Sign proposal NUMBER too. Who proposed it then gives it."""
    waiting = errand_joint.find_proposal(wallet, number)
    data = show_mandate.proposal_data(waiting)
    if not yes and sys.stdin.isatty():
        click.echo(show_mandate.proposals_text([data]), err=True)
        click.confirm("Do you agree?", abort=True, err=True)
    errand_joint.agree(wallet, waiting)
    emit(ctx, f"You agreed. {data['agency']['name']} gets access once all have signed.", {**data, "signed": True})


def end_of(text: str) -> int:
    """The end of a day in Amsterdam, POSIX seconds. Raises `click.BadParameter`."""
    try:
        last = date.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter("write a date as 2027-05-22") from error
    return int(datetime.combine(last + timedelta(days=1), time(), _AMSTERDAM).timestamp())


def service_named(text: str) -> MandateService:
    """`OIN/ID`. Raises `click.BadParameter`."""
    recipient, _, service = text.partition("/")
    if not (len(recipient) == 20 and recipient.isdecimal() and service):
        raise click.BadParameter("write a service as 00000099000000001000/parkeervergunning")
    return MandateService(recipient, service)


def claims_named(names: Sequence[str]) -> list[MandateClaims]:
    """`adres.postcode` and more, by type. Raises `click.BadParameter`."""
    found: dict[str, list[str]] = {}
    for text in names:
        card, _, name = text.partition(".")
        kind = _BY_NAME.get(card)
        if kind is None or name not in kind.by_name:
            raise click.BadParameter(f"no card has {text}; write one as adres.postcode")
        found.setdefault(kind.vct, []).append(name)
    return [MandateClaims(vct, list(dict.fromkeys(chosen))) for vct, chosen in found.items()]
