"""`regie registrar`: what is signed beside the list, and the server that shows all of it."""

from pathlib import Path
from urllib.parse import urlsplit

import click

from protocol.canonical import parse_struct
from protocol.errors import Rejected
from protocol.registration_certificate import intended_use_id
from protocol.trust_list import WalletProvider
from protocol.x509 import x5c
from registrar import providers
from registrar.config import check_registrar_url
from registrar.published import Published
from registrar.store import RegistrarStore
from service.clock import SystemClock
from service.command import command, emit, read_input, tls_of, tls_options
from service.home import Home

MAX_ENTRY_BYTES = 64 * 1024
DEFAULT_PORT = 8083


@click.command("publish-at")
@click.argument("url")
@command
def publish_at(ctx: click.Context, home: Home, url: str) -> None:
    """Serve at URL: make the keys of registration certificates and of the wallet provider, and list them."""
    config = RegistrarStore(home).publish_at(check_registrar_url(url), SystemClock().now())
    data = {"url": config.base, "trust_list": f"{config.registry_uri}/trust-list", "wallet_provider": config.base}
    emit(ctx, f"The list will be at {data['trust_list']}. Sign it to make it so.", data)


@click.command("add-wallet-provider")
@click.argument("file")
@command
def add_wallet_provider(ctx: click.Context, home: Home, file: str) -> None:
    """Add or replace a wallet provider from FILE: its id (a URL), name and roots."""
    data = read_input(file, max_bytes=MAX_ENTRY_BYTES)
    entry = parse_struct(data, WalletProvider, max_bytes=MAX_ENTRY_BYTES)
    now = SystemClock().now()
    RegistrarStore(home).change(lambda draft: providers.add_wallet_provider(draft, entry, now))
    answer = {"added": entry.id, "kind": "wallet-provider"}
    emit(ctx, f"Added wallet provider {entry.id}. Sign the list to make it so.", answer)


@click.command("add-registration-root")
@click.argument("file")
@command
def add_registration_root(ctx: click.Context, home: Home, file: str) -> None:
    """List a root of registration certificates from FILE (DER); another registrar signs under it."""
    root, now = _root(file), SystemClock().now()
    RegistrarStore(home).change(lambda draft: providers.add_registration_root(draft, root, now))
    thumbprint = providers.thumbprint_of(root)
    answer = {"added": thumbprint, "kind": "registration-root"}
    emit(ctx, f"Added the root {thumbprint}. Sign the list to make it so.", answer)


@click.command("remove-registration-root")
@click.argument("thumbprint")
@command
def remove_registration_root(ctx: click.Context, home: Home, thumbprint: str) -> None:
    """Take a root of registration certificates off the next list, by the thumbprint that `show` prints."""
    RegistrarStore(home).change(lambda draft: providers.remove_registration_root(draft, thumbprint))
    answer = {"removed": thumbprint, "kind": "registration-root"}
    emit(ctx, f"Removed the root {thumbprint}. Sign the list to make it so.", answer)


@click.command("certificate")
@click.option("--agency", required=True, help="OIN of the agency: 20 digits.")
@click.option("--service", help="Id of one service. Default: all of them.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write them there.")
@command
def certificate(ctx: click.Context, home: Home, agency: str, service: str | None, out: Path | None) -> None:
    """Give the registration certificates of an agency, one on a line: its `registration.jwt`.

    An agency adds them to its requests, for wallets that do not know the trust list.
    """
    now, published = SystemClock().now(), Published(home)
    services = [s for s in published.trust(now).agency(agency).services if service in (None, s.id)]
    if not services:
        raise Rejected("not_listed", "the signed list has no such service", status=404)
    uses = [intended_use_id(agency, entry.id, entry.version) for entry in services]
    tokens = [published.certificate(use, now) for use in uses]
    if out is not None:
        out.write_text("".join(f"{token}\n" for token in tokens))
    data = [{"intended_use": use, "certificate": token} for use, token in zip(uses, tokens, strict=True)]
    emit(ctx, "\n".join(tokens) if out is None else f"Written: {out}", {"certificates": data})


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), help="Default: the port of the registrar's URL.")
@tls_options
@command
def serve(ctx: click.Context, home: Home, host: str, port: int | None) -> None:
    """Show the list, who is registered and the certificates to everybody, and attest wallets."""
    from service.serve import serve as run

    url = RegistrarStore(home).config().base
    found = port if port is not None else urlsplit(url).port or DEFAULT_PORT
    run("registrar.web:create", home.path, host, found, tls=tls_of(ctx))


COMMANDS = (
    publish_at,
    add_wallet_provider,
    add_registration_root,
    remove_registration_root,
    certificate,
    serve,
)


def _root(file: str) -> str:
    data = read_input(file, max_bytes=MAX_ENTRY_BYTES)
    return x5c([data])[0]
