"""Serving the wallet as a web app: where it listens, how it opens, what is printed about it."""

import webbrowser
from dataclasses import dataclass
from pathlib import Path

import click
from qrcode.main import QRCode

from protocol.canonical import parse_object
from protocol.errors import Rejected
from protocol.keys import parse_jwk
from service.clock import SystemClock
from service.command import emit, read_input, wants_json
from service.home import Home
from service.serve import serve
from service.tls import Tls
from service.ui.door import FILE, LocalDoor
from wallet.config import WalletConfig
from wallet.ui import lan
from wallet.ui.begin import TRUST

TARGET = "wallet.ui.app:create"
ROOM = "wallet"


@dataclass(frozen=True)
class Place:
    """Where it is served, and the address that opens it once. `fingerprint`: of the certificate, with `--lan`."""

    listen: str
    port: int
    url: str
    tls: Tls | None = None
    fingerprint: str | None = None


def serve_in_browser(
    ctx: click.Context, home: Home, port: int | None, *, opens: bool, address: str | None
) -> None:
    """Serve until SIGTERM or SIGINT: on this machine alone or, with `address`, in the house (empty: find it).

    Raises `Rejected`: `bad_host`; `Unavailable`: `no_network`, those of `serve`.
    """
    place = _on_this_machine(home, port) if address is None else _in_the_house(home, port, address)
    serve(TARGET, home.path, place.listen, place.port, tls=place.tls, ready=lambda: _tell(ctx, place, opens=opens))


def open_again(ctx: click.Context, home: Home, *, opens: bool) -> None:
    """Another address for a wallet that is served. Raises `Rejected`: `no_home`."""
    if not home.has(FILE):
        raise Rejected("no_home", f"{home.path} was never served: run `regie wallet serve` first")
    door = LocalDoor(home.path, ROOM)
    port = int(door.host.rpartition(":")[2])
    found = lan.read(home)
    launch = door.launch(port, scheme="https" if found else "http")
    url = launch.url.replace(launch.origin, f"https://{found.host}", 1) if found else launch.url
    _tell(ctx, Place("", port, url, None, found.fingerprint if found else None), opens=opens)


def keep_trust(home: Home, trust_list: str, registrar: str) -> None:
    """Whom a wallet that is made in the browser trusts: path or URL of the list, file of the registrar's key.

    Raises `Rejected`: `bad_key` and those of `parse_object`.
    """
    place = trust_list if trust_list.startswith(("https://", "http://")) else str(Path(trust_list).absolute())
    key = parse_object(read_input(registrar))
    parse_jwk(key)
    home.write_json(TRUST, WalletConfig("wallet", place, key))


def _on_this_machine(home: Home, port: int | None) -> Place:
    lan.forget(home)
    launch = LocalDoor(home.path, ROOM).launch(port)
    return Place("127.0.0.1", launch.port, launch.url)


def _in_the_house(home: Home, port: int | None, address: str | None) -> Place:
    launch = LocalDoor(home.path, ROOM).launch(port, scheme="https")
    name = launch.origin.removeprefix("https://").rpartition(":")[0]
    found, files = lan.prepare(home, address or lan.own_address(), launch.port, name, SystemClock().now())
    url = launch.url.replace(launch.origin, f"https://{found.host}", 1)
    return Place(found.address, launch.port, url, files, found.fingerprint)


def _tell(ctx: click.Context, place: Place, *, opens: bool) -> None:
    data = {"open": place.url} | ({"fingerprint": place.fingerprint} if place.fingerprint else {})
    text = f"Open your wallet at {place.url}\nThis address works once; `regie wallet open` makes another one."
    if place.fingerprint:
        text += (
            "\nYour phone does not know the certificate and will warn. Go on only if it shows this fingerprint "
            f"(SHA-256):\n{place.fingerprint}"
        )
    emit(ctx, text, data)
    if place.fingerprint and not wants_json(ctx):
        code = QRCode(border=2)
        code.add_data(place.url)
        code.print_ascii(invert=True)
    if opens:
        webbrowser.open(place.url)
