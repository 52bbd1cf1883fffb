"""`regie auditor serve`: the console as a web app on the auditor's own machine."""

import webbrowser
from urllib.parse import urlsplit

import click

from auditor.config import read_config
from service.command import command, emit
from service.home import Home
from service.serve import serve
from service.ui.door import LocalDoor

TARGET = "auditor.ui.app:create"
ROOM = "auditor"
PORT = 8085
"""Where there is no other, behind a proxy."""


@click.command("serve")
@click.option(
    "--port", type=click.IntRange(1, 65535), help="Listen here. [default: as last time, else a free one]"
)
@click.option("--open", "opens", is_flag=True, help="Open it in the browser of this machine.")
@command
def serve_console(ctx: click.Context, home: Home, port: int | None, opens: bool) -> None:
    """Look at figures, findings and cases in a browser. Prints the address that opens the console, once.

    Where several people sign in (`regie auditor staff`) it listens for the proxy that has the console's URL.
    """
    config = read_config(home)
    if config.staff is not None and config.console is not None:
        serve(TARGET, home.path, "127.0.0.1", port or urlsplit(config.console).port or PORT)
        return
    launch = LocalDoor(home.path, ROOM).launch(port)
    emit(ctx, f"Open {launch.url}", {"url": launch.url, "origin": launch.origin, "port": launch.port})
    if opens:
        webbrowser.open(launch.url)
    serve(TARGET, home.path, "127.0.0.1", launch.port)
