"""regie wallet serve and open: the wallet as a web app. What makes pages is loaded by these commands only."""

import importlib

import click

from service.command import command
from service.home import Home

_SERVING = "wallet.serving"


@click.command("serve")
@click.option(
    "--port", type=click.IntRange(1, 65535), help="Listen here. [default: as last time, else a free one]"
)
@click.option("--open", "opens", is_flag=True, help="Open it in the browser of this machine.")
@click.option(
    "--lan", "on_lan", is_flag=True, help="For a phone in the house: TLS, on the address of this machine."
)
@click.option("--address", metavar="IP", help="That address, if another one is found.")
@click.option("--trust-list", metavar="LOC", help="For a wallet that is made in the browser: path or URL.")
@click.option("--registrar", metavar="FILE", help="The registrar's public key (JWK), for the same.")
@command
def serve(
    ctx: click.Context,
    home: Home,
    port: int | None,
    opens: bool,
    on_lan: bool,
    address: str | None,
    trust_list: str | None,
    registrar: str | None,
) -> None:
    """Use the wallet in a browser. Prints the address that opens it, once."""
    if (trust_list is None) != (registrar is None):
        raise click.UsageError("say both --trust-list and --registrar, or none")
    if address and not on_lan:
        raise click.UsageError("--address goes with --lan")
    serving = importlib.import_module(_SERVING)
    home.create()
    if trust_list is not None:
        serving.keep_trust(home, trust_list, registrar)
    serving.serve_in_browser(ctx, home, port, opens=opens, address=(address or "") if on_lan else None)


@click.command("open")
@click.option("--open", "opens", is_flag=True, help="Open it in the browser of this machine.")
@command
def open_again(ctx: click.Context, home: Home, opens: bool) -> None:
    """Print a new address for the wallet that `serve` runs: the last one was used, or the browser forgot."""
    importlib.import_module(_SERVING).open_again(ctx, home, opens=opens)
