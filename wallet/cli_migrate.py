"""regie wallet, moving to a wallet of another maker, or from one (EUDI TS10)."""

from pathlib import Path

import click

from protocol.errors import Rejected
from service.command import emit, read_input
from service.home import Home
from wallet.cli_open import read_passphrase, with_wallet
from wallet.errand_migrate import Moved, export_migration, import_migration, missing_cards
from wallet.jwe_password import MAX_FILE_BYTES
from wallet.opened import OpenWallet

_PASSWORD = click.option(
    "--password-file",
    required=True,
    metavar="FILE",
    help="Holds the password of the file, which is for this move only.",
)


@click.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@_PASSWORD
@with_wallet
def export(ctx: click.Context, wallet: OpenWallet, file: Path, password_file: str) -> None:
    """Write FILE for a wallet of another maker: your cards by name, and what you did. No key and no agreement."""
    if file.exists():
        raise Rejected("exists", "there is a file of that name already; choose another one", status=409)
    token = export_migration(wallet, read_passphrase(password_file))
    Home(file.absolute().parent).write_secret(file.name, token.encode())
    text = (
        f"{file} is for your next wallet. Agreements do not move: they go on until you stop them here, or with "
        "your stop paper. Between two wallets of this kind `regie wallet backup` takes along everything."
    )
    emit(ctx, text, {"file": str(file), "bytes": len(token)})


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_PASSWORD
@with_wallet
def import_(ctx: click.Context, wallet: OpenWallet, file: Path, password_file: str) -> None:
    """Take in FILE of another wallet: what it did, and which cards to ask for anew."""
    data = read_input(str(file), max_bytes=MAX_FILE_BYTES).decode("ascii", "replace").strip()
    moved = import_migration(wallet, data, read_passphrase(password_file))
    missing = missing_cards(wallet)
    emit(
        ctx,
        "\n".join(_lines(moved, [f"{card.vct} of {card.issuer_name}: {card.supply_point}" for card in missing])),
        {
            "transactions": moved.transactions,
            "copied": moved.copied,
            "refused": list(moved.refused),
            "missing": [{"vct": card.vct, "issuer": card.supply_point} for card in missing],
        },
    )


def _lines(moved: Moved, missing: list[str]) -> list[str]:
    lines = [f"{moved.transactions} activities of your other wallet are here. Nobody proves them."]
    if moved.copied:
        lines.append(f"{moved.copied} card(s) came along.")
    if moved.refused:
        lines.append(f"{len(moved.refused)} card(s) were not taken: {', '.join(sorted(set(moved.refused)))}.")
    if missing:
        lines += ["Ask for these cards anew, with `regie wallet get`:", *missing]
    return lines
