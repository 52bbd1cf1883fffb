"""regie wallet ask | erase | complain | activities: rights, a complaint, and what was done as TS10."""

from pathlib import Path
from typing import get_args

import click
import msgspec

from protocol.errors import Rejected
from protocol.rights import Right
from service.command import emit
from service.home import Home
from wallet import show
from wallet.cli_open import with_wallet
from wallet.complaint import REASONS, Reason
from wallet.errand_message import Asked
from wallet.errand_message import ask as ask_agency
from wallet.errand_report import complain as make_complaint
from wallet.errand_sync import deliver_stops
from wallet.errand_transactions import transaction_log
from wallet.opened import OpenWallet
from wallet.records import Activity, GrantRecord

_VERBS = {"erasure": "to erase your data", "access": "to see your data", "rectification": "to correct your data"}


@click.command("ask")
@click.argument("right", type=click.Choice(get_args(Right)))
@click.argument("grant_id", metavar="ID")
@click.option("--attribute", "attributes", multiple=True, help="What has to be corrected, e.g. adres.postcode.")
@with_wallet
def ask(ctx: click.Context, wallet: OpenWallet, right: Right, grant_id: str, attributes: tuple[str, ...]) -> None:
    """Ask the agency of grant ID to see, to correct or to erase your data. It must answer within a month."""
    _ask(ctx, wallet, right, grant_id, attributes)


@click.command("erase")
@click.argument("grant_id", metavar="ID")
@with_wallet
def erase(ctx: click.Context, wallet: OpenWallet, grant_id: str) -> None:
    """Ask the agency of grant ID to erase what it has. It must answer within a month."""
    _ask(ctx, wallet, "erasure", grant_id, ())


def _ask(ctx: click.Context, wallet: OpenWallet, right: Right, grant_id: str, attributes: tuple[str, ...]) -> None:
    if attributes and right != "rectification":
        raise click.UsageError("--attribute goes with rectification")
    deliver_stops(wallet)
    asked: Asked = ask_agency(wallet, grant_id, right, attributes)
    name = wallet.grant(grant_id).agency.name
    sent = asked.at_log and asked.at_agency
    state = "It is sent and in the log." if sent else "It is kept; `regie wallet sync` goes on sending it."
    text = f"You asked {name} {_VERBS[right]}. {state} They must answer by {show.day(asked.due)}."
    data = {
        "id": grant_id,
        "message": asked.name,
        "right": right,
        "state": "sent" if sent else "queued",
        "at_log": asked.at_log,
        "at_agency": asked.at_agency,
        "due": asked.due,
    }
    emit(ctx, text, data)


@click.command("complain")
@click.argument("grant_id", metavar="ID", required=False)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--activity", type=int, help="Instead of ID: a copy or a refused request, as `history` numbers it.")
@click.option("--reason", type=click.Choice(REASONS), required=True, help="Why.")
@with_wallet
def complain(
    ctx: click.Context, wallet: OpenWallet, grant_id: str | None, file: Path, activity: int | None, reason: Reason
) -> None:
    """Write to FILE what the supervisor needs for a complaint about the agency of grant ID: no data of yours."""
    if (grant_id is None) == (activity is None):
        raise click.UsageError("say what it is about: a grant's number, or --activity")
    subject = wallet.grant(grant_id) if grant_id is not None else _activity(wallet, activity)
    made = make_complaint(wallet, subject, reason)
    Home(file.absolute().parent).write_secret(file.name, made.body)
    ways = ", ".join(made.authority.contacts)
    text = f"The file about {made.party} is in {file}. Send it yourself to {made.authority.name}: {ways}"
    emit(ctx, text, {"file": str(file), "party": made.party, "authority": msgspec.to_builtins(made.authority)})


def _activity(wallet: OpenWallet, number: int | None) -> GrantRecord | Activity:
    for each in wallet.activities():
        if each.number == number and each.kind in ("shared", "maybe_shared", "declined"):
            return each
    raise Rejected("unknown_activity", "there is no such request here", status=404)


@click.command("activities")
@with_wallet
def activities(ctx: click.Context, wallet: OpenWallet) -> None:
    """Print what this wallet did as the transaction log of EUDI TS10: names of data, never the data."""
    found = transaction_log(wallet)
    lines = [f"{each['time']}  {each['transactionType']}  {each['transactionResult']}" for each in found]
    emit(ctx, "\n".join(lines) or "Nothing has happened yet.", {"transactionLog": found})
