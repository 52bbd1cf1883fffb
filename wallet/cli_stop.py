"""regie wallet, one paper that stops everything: print it, use it."""

import click

from protocol.revocation_code import format_stop_digits, format_stop_qr, parse_stop_paper
from service.command import command, confirm, emit, read_secret
from service.home import Home
from wallet.cli_open import passphrase_option, read_passphrase, with_wallet
from wallet.errand_remove import running_grants
from wallet.errand_stop_all import StopAll, stop_by_paper, stop_everything
from wallet.opened import OpenWallet, open_wallet, surroundings
from wallet.seed import stop_seed


@click.command("stop-paper")
@with_wallet
def stop_paper(ctx: click.Context, wallet: OpenWallet) -> None:
    """Show what to put on paper: it stops all you gave and will give for yourself, from any wallet or counter."""
    seed = stop_seed(wallet.secrets())
    digits = format_stop_digits(seed)
    text = (
        f"Your stop paper. Keep it away from this machine, where somebody you trust can find it:\n{digits}\n"
        "Who has it can stop every agreement of yours and see who looked. Nobody can see your data with it.\n"
        "It does not stop what was given in somebody else's name: that ends with the mandate."
    )
    emit(ctx, text, {"digits": digits, "qr": format_stop_qr(seed)})


@click.command("stop-all")
@click.option(
    "--paper", metavar="PAPER", help="The 44 digits or the QR text of a stop paper; - reads it from stdin."
)
@click.option("--yes", is_flag=True, help="Do not ask on a terminal.")
@passphrase_option
@command
def stop_all(ctx: click.Context, home: Home, paper: str | None, yes: bool, passphrase_file: str | None) -> None:
    """Stop every agreement: of this wallet or, by its stop paper, of any wallet, which needs no passphrase."""
    around = surroundings(home)
    if paper is not None:
        seed = parse_stop_paper(read_secret(paper, name="paper"))
        done = stop_by_paper(around, seed)
        data = {
            "state": done.state,
            "stopped": done.stopped,
            "confirmed": done.confirmed,
            "cosigners": list(done.cosigners),
        }
        emit(ctx, _paper_text(done), data)
        return
    with open_wallet(around, read_passphrase(passphrase_file)) as wallet:
        confirm(f"{len(running_grants(wallet))} agreement(s) stop.", yes=yes)
        numbers = stop_everything(wallet)
    emit(ctx, f"You stopped {len(numbers)} agreement(s).", {"stopped": numbers})


def _paper_text(done: StopAll) -> str:
    if done.state == "confirmed":
        return f"{done.stopped} agreement(s) of this paper have ended, and the log has confirmed it."
    if done.state == "promised":
        return f"{done.stopped} agreement(s) of this paper have ended: the log promised it."
    held = f" {len(done.cosigners)} watcher(s) of the log hold a stop." if done.cosigners else ""
    return (
        f"Not yet confirmed: a log cannot be reached.{held} This program keeps trying with `regie wallet sync`. "
        "Use the paper again, here or elsewhere, to be sure."
    )
