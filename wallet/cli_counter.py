"""regie wallet counter: paper forms of residents without a wallet. Pictures are read by the extra `counter`."""

import importlib
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from protocol.canonical import parse_object
from protocol.errors import Rejected
from protocol.keys import parse_jwk
from service.app import serve as run_server
from service.cli_staff import staff_command
from service.command import command, emit, read_input, tls_of, tls_options
from service.home import CONFIG, Home
from wallet.counter_config import ROLES, CounterConfig, check_counter_url
from wallet.paper_ticks import judge

DEFAULT_PORT = 8090


@click.group("counter")
def counter() -> None:
    """Take in forms on paper, with two officers and a wallet for each visit."""


@counter.command("init")
@click.option("--url", required=True, help="Where the officers open it.")
@click.option("--name", required=True, help="Whose counter it is, as the receipt says.")
@click.option("--trust-list", required=True, metavar="LOC", help="Path or URL of the trust list.")
@click.option("--registrar", required=True, metavar="FILE", help="The registrar's public key (JWK).")
@command
def init(ctx: click.Context, home: Home, url: str, name: str, trust_list: str, registrar: str) -> None:
    """Make the home of a counter. Then: `regie wallet counter staff`."""
    home.create()
    if home.has(CONFIG):
        raise Rejected("exists", "there is a home here already; nothing was changed", status=409)
    if not trust_list.startswith(("https://", "http://")):
        trust_list = str(Path(trust_list).absolute())
    key = parse_object(read_input(registrar))
    parse_jwk(key)
    home.write_config(
        CounterConfig(role="counter", url=check_counter_url(url), name=name, trust_list=trust_list, registrar=key)
    )
    emit(ctx, f"The counter is ready in {home.path}. Now say who signs in.", {"home": str(home.path)})


@counter.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), help="Default: the port of the counter's URL.")
@tls_options
@command
def serve(ctx: click.Context, home: Home, host: str, port: int | None) -> None:
    """Serve the officers until stopped. Every open visit ends with it."""
    url = home.config(CounterConfig).url
    listen = port if port is not None else urlsplit(url).port or DEFAULT_PORT
    run_server("wallet.ui.counter_app:create", home.path, host, listen, tls=tls_of(ctx))


@counter.command("read")
@click.argument("sheet")
@command
def read(ctx: click.Context, home: Home, sheet: str) -> None:
    """Say what a scanned SHEET holds: its place in the form, and each row of boxes. Grants nothing."""
    scan: Any = importlib.import_module("wallet.paper_scan")
    ink = scan.read_sheet(read_input(sheet, max_bytes=scan.MAX_PICTURE_BYTES)).ink
    rows = []
    for number, row in enumerate((row for row in ink.rows if row.yes.framed and row.no.framed), 1):
        answer, doubt = judge(row)
        rows.append({"row": number, "answer": answer, "doubt": doubt, "ink": asdict(row)})
    lines = [f"{row['row']}. {row['answer'] or 'in doubt: ' + str(row['doubt'])}" for row in rows]
    emit(
        ctx,
        "\n".join([f"Sheet {ink.code.sheet}", *lines]),
        {"sheet": ink.code.sheet, "link": ink.code.link, "rows": rows, "beyond": ink.beyond},
    )


counter.add_command(staff_command(CounterConfig, mount="", roles=ROLES))
