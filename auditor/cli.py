"""`regie auditor`: verify a log, check an agency's evidence against it, cosign."""

from pathlib import Path
from urllib.parse import urlsplit

import click

from auditor.cli_case import case, looks
from auditor.cli_check import check, promise, verify
from auditor.cli_follow import follow
from auditor.cli_report import report
from auditor.cli_rotate import rotate
from auditor.cli_serve import serve_console
from auditor.cli_token import token
from auditor.config import Config, make_cosigner, read_config
from protocol.canonical import parse_object, to_builtins
from protocol.errors import Rejected
from service.cli_staff import staff_command
from service.clock import SystemClock
from service.command import command, emit, home_option, read_input, tls_of, tls_options
from service.home import Home
from service.serve import serve


@click.group()
@home_option
def group() -> None:
    """Check the whole log, cosign and report."""


@group.command("init")
@click.option("--trust-list", required=True, help="Path or URL of the trust list.")
@click.option("--registrar", required=True, type=click.Path(path_type=Path), help="File with the registrar's key.")
@click.option("--log", "origin", required=True, help="Origin of the log that is audited.")
@click.option("--url", help="Where this auditor cosigns; without it, it does not.")
@click.option("--name", help="Name of the cosigning key.")
@click.option("--shares", is_flag=True, help="Also hold shares, as one of the log's operators.")
@command
def init(
    ctx: click.Context,
    home: Home,
    trust_list: str,
    registrar: Path,
    origin: str,
    url: str | None,
    name: str | None,
    shares: bool,
) -> None:
    """Make this home; with --url and --name also a cosigning key for the trust list."""
    if (url is None) != (name is None):
        raise click.UsageError("a cosigner has both --url and --name")
    if shares and url is None:
        raise click.UsageError("who holds shares cosigns too: --shares needs --url and --name")
    home.create()
    if home.has("config.json"):
        raise Rejected("home_exists", "this home was initialised before")
    entry = {}
    if url is not None and name is not None:
        entry = to_builtins(make_cosigner(home, url, name, SystemClock().now(), shares=shares))
        home.write_json("entry.json", entry)
    key = parse_object(read_input(str(registrar)))
    home.write_config(Config("auditor", trust_list, key, origin, url, name))
    emit(ctx, "Initialised. Give entry.json to the registrar." if entry else "Initialised.", {"entry": entry})


@group.command("cosign")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=int, help="Else the port of the URL given at init.")
@tls_options
@command
def cosign(ctx: click.Context, home: Home, host: str, port: int | None) -> None:
    """Serve the auditing cosigner; also what an operator serves, if it was made with --shares."""
    config = read_config(home)
    if config.url is None:
        raise Rejected("no_cosigner", "this auditor was initialised without --url: it does not cosign")
    serve("auditor.web:create", home.path, host, port or urlsplit(config.url).port or 443, tls=tls_of(ctx))


group.add_command(verify)
group.add_command(case)
group.add_command(looks)
group.add_command(check)
group.add_command(promise)
group.add_command(follow)
group.add_command(report)
group.add_command(rotate)
group.add_command(serve_console)
group.add_command(token)
group.add_command(staff_command(Config, mount="", roles=("auditor",), address="console"))
