"""`regie log`: make and run a consent log, or a witness."""

import os
from pathlib import Path
from urllib.parse import urlsplit

import click

from consentlog import config
from consentlog.cli_rotate import rotate, rotate_witness, witnessed_logs
from consentlog.cli_store import backup, fsck, restore
from consentlog.config import LogConfig
from protocol.canonical import b64u_encode, parse_object, to_builtins
from protocol.errors import Rejected
from protocol.keys import parse_jwk
from service.clock import SystemClock
from service.command import command, emit, home_option, read_input, tls_of, tls_options
from service.home import Home
from service.trust import TrustSource

_TRUST_LIST = click.option("--trust-list", required=True, help="Path or URL of the trust list.")
_REGISTRAR = click.option("--registrar", required=True, help="File with the registrar's public key (JWK).")
_HOST = click.option("--host", default="127.0.0.1", show_default=True)
_PORT = click.option("--port", type=int, help="Else the port of the URL given at init.")


@click.group()
@home_option
def group() -> None:
    """Run the consent log or a witness."""


@group.command("init")
@click.option("--url", required=True, help="Where parties reach this log.")
@click.option("--origin", required=True, help="Name of the log in its checkpoints, for ever: log.example.nl/2026.")
@_TRUST_LIST
@_REGISTRAR
@command
def init(ctx: click.Context, home: Home, url: str, origin: str, trust_list: str, registrar: str) -> None:
    """Make this home: keys, the first epoch and the global lock of an empty tree."""
    entry = config.make_log(
        home,
        url=url,
        origin=origin,
        trust_list=_location(trust_list),
        registrar=_registrar(registrar),
        random=os.urandom,
        now=SystemClock().now(),
    )
    emit(ctx, "Initialised. Give entry.json to the registrar.", {"entry": to_builtins(entry)})


@group.command("serve")
@_HOST
@_PORT
@click.option("--workers", type=click.IntRange(1, 32), default=1, show_default=True, help="With PostgreSQL only.")
@tls_options
@command
def serve(ctx: click.Context, home: Home, host: str, port: int | None, workers: int) -> None:
    """Serve the log until it is stopped."""
    from consentlog.web import THREADS
    from service.serve import serve as run

    settings = config.log_config(home)
    if workers > 1 and settings.database_url(home).startswith("sqlite:"):
        raise Rejected("workers_need_postgresql", "a log on SQLite has one worker")
    place = host, _port(port, settings.url)
    run("consentlog.web:create", home.path, *place, threads=THREADS, workers=workers, tls=tls_of(ctx))


@group.command("policy")
@command
def policy(ctx: click.Context, home: Home) -> None:
    """Print the tlog-policy of this log: whose cosignatures its readers ask."""
    settings = config.log_config(home)
    text = _trust_of(home, settings).current(SystemClock().now()).log(settings.origin).policy
    emit(ctx, text.rstrip("\n"), {"policy": text})


@group.command("auditor-token")
@command
def auditor_token(ctx: click.Context, home: Home) -> None:
    """Print the token that opens the openings to an auditor. Treat it as a password."""
    config.log_config(home)
    token = b64u_encode(home.read_secret(config.AUDITOR_TOKEN))
    emit(ctx, token, {"token": token})


group.add_command(rotate)


@group.group("witness")
@home_option
def witness() -> None:
    """Run a witness: it sees that logs only grow."""


@witness.command("init")
@click.option("--url", required=True, help="Where logs reach this witness.")
@click.option("--name", required=True, help="Name of its key: witness.example.nl.")
@click.option("--post-quantum", is_flag=True, help="Cosign with a key of ML-DSA-44 besides.")
@_TRUST_LIST
@_REGISTRAR
@command
def witness_init(
    ctx: click.Context, home: Home, url: str, name: str, post_quantum: bool, trust_list: str, registrar: str
) -> None:
    """Make this home and its cosigning key."""
    entry = config.make_witness(
        home,
        url=url,
        name=name,
        trust_list=_location(trust_list),
        registrar=_registrar(registrar),
        random=os.urandom,
        post_quantum=post_quantum,
    )
    emit(ctx, "Initialised. Give entry.json to the registrar.", {"entry": to_builtins(entry)})


witness.add_command(rotate_witness)
witness.add_command(witnessed_logs)


@witness.command("serve")
@_HOST
@_PORT
@tls_options
@command
def witness_serve(ctx: click.Context, home: Home, host: str, port: int | None) -> None:
    """Serve the witness until it is stopped."""
    from service.serve import serve as run

    settings = config.witness_config(home)
    run("consentlog.witness:create", home.path, host, _port(port, settings.url), tls=tls_of(ctx))


for _command in (fsck, backup, restore):
    group.add_command(_command)


def _location(trust_list: str) -> str:
    """A URL as it is, a path made absolute: the server may be started elsewhere."""
    return trust_list if "://" in trust_list else str(Path(trust_list).absolute())


def _registrar(source: str) -> dict[str, str]:
    return parse_jwk(parse_object(read_input(source))).jwk()


def _port(port: int | None, url: str) -> int:
    if port is not None:
        return port
    parts = urlsplit(url)
    return parts.port or (443 if parts.scheme == "https" else 80)


def _trust_of(home: Home, settings: LogConfig) -> TrustSource:
    return TrustSource(home, settings.trust_list, settings.registrar)
