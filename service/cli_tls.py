"""`regie tls`: certificates for TLS on one's own machine."""

from pathlib import Path

import click

from service.clock import SystemClock
from service.command import command_without_home, emit
from service.home import Home
from service.tls import CA, MAX_DAYS, make_pki

DEFAULT_DAYS = 90


@click.group()
def group() -> None:
    """Make certificates for TLS on your own machine."""


@group.command("new")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--host", "hosts", multiple=True, help="Name or IP address; repeat it. [default: localhost and its]")
@click.option("--days", default=DEFAULT_DAYS, show_default=True, help=f"In force: 1 to {MAX_DAYS}.")
@command_without_home
def new(ctx: click.Context, folder: Path, hosts: tuple[str, ...], days: int) -> None:
    """Make an authority and a server certificate in FOLDER, over those that are there.

    The key of the authority is not kept, and it may name no other hosts than these.
    """
    home = Home(folder).create()
    files = make_pki(home, hosts or ("localhost", "127.0.0.1", "::1"), days=days, now=SystemClock().now())
    made = {"ca": home.file(CA), "tls_cert": files.certificate, "tls_key": files.key}
    data = {name: str(path.absolute()) for name, path in made.items()}
    words = (
        f"Serve with --tls-cert {data['tls_cert']} --tls-key {data['tls_key']}\n"
        f"Whoever asks you trusts {data['ca']}: REGIE_CA_FILE here, NODE_EXTRA_CA_CERTS in Node."
    )
    emit(ctx, words, data)
