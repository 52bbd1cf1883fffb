"""`regie registrar`: keep the draft of the trust list and sign it."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar

import click
import msgspec

from protocol.canonical import parse_struct, to_builtins
from protocol.trust_list import Agency, Service, TrustedIssuer, TrustedLog, TrustedWitness
from registrar import cli_publish, register
from registrar.config import check_registrar_url
from registrar.draft import Draft, new_draft
from registrar.lint import remarks_on
from registrar.lists import MAX_LIST_BYTES, Lists, check_listed, parse_selection_list, parse_upl
from registrar.providers import thumbprint_of
from registrar.register import MAX_LIST_DAYS
from registrar.remark import Remark
from registrar.store import RegistrarStore
from service.clock import SystemClock
from service.command import EXIT_REFUSED, command, emit, home_option, read_input
from service.home import Home

E = TypeVar("E")
F = TypeVar("F", bound=Callable[..., Any])

MAX_ENTRY_BYTES = 1024 * 1024
DEFAULT_DAYS = 30
_KINDS = ("issuer", "agency", "log", "witness", "wallet-provider")


def _lists(function: F) -> F:
    """Options that name the national lists which a service is held against."""
    told = "Hold services against {} (CSV, as published)."
    for name, what in (("--selectielijst", "this retention list"), ("--upl", "this list of product names")):
        function = click.option(name, metavar="FILE", help=told.format(what))(function)
    return function


@click.group()
@home_option
def group() -> None:
    """Sign the list of who may issue, ask and log."""


@group.command("new")
@click.option("--name", required=True, help="Name of the registrar.")
@click.option("--url", help="Where it will serve; see publish-at.")
@command
def new(ctx: click.Context, home: Home, name: str, url: str | None) -> None:
    """Make a key and an empty draft."""
    place = None if url is None else check_registrar_url(url)
    store = RegistrarStore(home)
    store.create(new_draft(name))
    if place is not None:
        store.publish_at(place, SystemClock().now())
    data = {
        "home": str(home.path.absolute()),
        "registrar": str(store.jwk_path.absolute()),
        "trust_list": str(store.trust_list_path.absolute()),
    }
    emit(ctx, f"Every role pins this key: {data['registrar']}\nThe list will be: {data['trust_list']}", data)


@group.command("add-issuer")
@click.argument("file")
@command
def add_issuer(ctx: click.Context, home: Home, file: str) -> None:
    """Add or replace an issuer from FILE (the entry that `regie issuer init` wrote; - is stdin)."""
    entry, now = _read(file, TrustedIssuer), SystemClock().now()
    _change(ctx, home, "issuer", entry.id, lambda draft: register.add_issuer(draft, entry, now))


@group.command("add-agency")
@click.argument("file")
@command
def add_agency(ctx: click.Context, home: Home, file: str) -> None:
    """Add or replace an agency from FILE (the entry that `regie verifier init` wrote); its services stay."""
    entry, now = _read(file, Agency), SystemClock().now()
    _change(ctx, home, "agency", entry.id, lambda draft: register.add_agency(draft, entry, now))


@group.command("add-service")
@click.option("--agency", required=True, help="OIN of the agency: 20 digits.")
@_lists
@click.argument("file")
@command
def add_service(
    ctx: click.Context, home: Home, agency: str, file: str, upl: str | None, selectielijst: str | None
) -> None:
    """Add a version of a service of an agency from FILE. A version never changes once it is added."""
    entry = _read(file, Service)
    check_listed(entry, _read_lists(upl, selectielijst))
    place = f"{agency}/{entry.id}@{entry.version}"
    _change(ctx, home, "service", place, lambda draft: register.add_service(draft, agency, entry))


@group.command("add-log")
@click.option("--policy", "policy", help="File with a tlog-policy of your own making.")
@click.argument("file")
@command
def add_log(ctx: click.Context, home: Home, file: str, policy: str | None) -> None:
    """Add or replace a consent log from FILE (the entry that `regie log init` wrote)."""
    entry = _read(file, TrustedLog)
    if policy is not None:
        text = read_input(policy, max_bytes=MAX_ENTRY_BYTES).decode("utf-8", "replace")
        entry = msgspec.structs.replace(entry, policy=text)
    _change(ctx, home, "log", entry.origin, lambda draft: register.add_log(draft, entry))


@group.command("close-log")
@click.option("--log", "origin", required=True, help="Origin of the log.")
@click.option(
    "--until",
    required=True,
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="UTC; from then on new grants go to another log.",
)
@command
def close_log(ctx: click.Context, home: Home, origin: str, until: datetime) -> None:
    """Say when a log stops taking new grants. Refreshes, reads and revocations go on in it."""
    end, now = int(until.replace(tzinfo=UTC).timestamp()), SystemClock().now()
    _change(ctx, home, "log", origin, lambda draft: register.close_log(draft, origin, end, now))


@group.command("add-witness")
@click.argument("file")
@command
def add_witness(ctx: click.Context, home: Home, file: str) -> None:
    """Add or replace a witness or auditing cosigner from FILE (the entry that its `init` wrote)."""
    entry = _read(file, TrustedWitness)
    _change(ctx, home, "witness", entry.name, lambda draft: register.add_witness(draft, entry))


@group.command("set-operators")
@click.option("--log", "origin", required=True, help="Origin of the log.")
@click.option("--needed", type=int, help="How many of them a read needs.")
@click.argument("names", nargs=-1)
@command
def set_operators(ctx: click.Context, home: Home, origin: str, needed: int | None, names: tuple[str, ...]) -> None:
    """Let the cosigners NAMES hold the shares of a log's grants; without NAMES the log does."""
    RegistrarStore(home).change(lambda draft: register.set_operators(draft, origin, needed, names))
    who = f"{needed} of {len(names)} operators" if names else "the log itself"
    data = {"log": origin, "needed": needed, "operators": list(names)}
    emit(ctx, f"Shares of {origin} are dealt to {who}. Sign the list to make it so.", data)


@group.command("remove")
@click.argument("kind", type=click.Choice(_KINDS))
@click.argument("id")
@command
def remove(ctx: click.Context, home: Home, kind: str, id: str) -> None:
    """Take a party off the next list, by its id, OIN, origin or name."""
    RegistrarStore(home).change(lambda draft: register.remove(draft, kind, id))
    emit(ctx, f"Removed {kind} {id}. Sign the list to make it so.", {"removed": id, "kind": kind})


@group.command("sign")
@click.option("--days", default=DEFAULT_DAYS, show_default=True, help=f"In force: 1 to {MAX_LIST_DAYS}.")
@command
def sign(ctx: click.Context, home: Home, days: int) -> None:
    """Sign the draft as the next version of the trust list."""
    store = RegistrarStore(home)
    trust = store.sign(SystemClock().now(), days)
    path = str(store.trust_list_path.absolute())
    data = {"version": trust.version, "iat": trust.iat, "exp": trust.exp, "trust_list": path}
    emit(ctx, f"Signed version {trust.version}, in force for {days} days: {path}", data)


@group.command("show")
@command
def show(ctx: click.Context, home: Home) -> None:
    """Show the draft, the version signed last, and what to look at twice."""
    store = RegistrarStore(home)
    draft, published = store.draft(), store.published()
    remarks = _plain(remarks_on(draft))
    data: dict[str, Any] = {
        "draft": to_builtins(draft),
        "signed": {"version": published.version, "exp": published.exp} if published else None,
        "remarks": remarks,
    }
    emit(ctx, _show(draft, published.version if published else 0, remarks), data)


@group.command("lint")
@_lists
@command
def lint(ctx: click.Context, home: Home, upl: str | None, selectielijst: str | None) -> None:
    """List what is allowed and still worth a second look; exit 1 where a privacy officer would object."""
    remarks = remarks_on(RegistrarStore(home).draft(), _read_lists(upl, selectielijst))
    emit(ctx, "\n".join(map(_line, remarks)) or "Nothing to remark.", {"remarks": _plain(remarks)})
    if any(remark.is_objection for remark in remarks):
        ctx.exit(EXIT_REFUSED)


def _line(remark: Remark) -> str:
    kind = "objection" if remark.is_objection else "remark   "
    article = f"; {remark.article}" if remark.article else ""
    return f"{kind}  {remark.place}: {remark.text} ({remark.code}{article})"


def _plain(remarks: Iterable[Remark]) -> list[dict[str, Any]]:
    return [
        {"code": r.code, "place": r.place, "text": r.text, "article": r.article, "objection": r.is_objection}
        for r in remarks
    ]


def _read_lists(upl: str | None, selectielijst: str | None) -> Lists:
    products = None if upl is None else parse_upl(read_input(upl, max_bytes=MAX_LIST_BYTES))
    results = None
    if selectielijst is not None:
        results = parse_selection_list(read_input(selectielijst, max_bytes=MAX_LIST_BYTES))
    return Lists(products, results)


def _read(file: str, kind: type[E]) -> E:
    return parse_struct(read_input(file, max_bytes=MAX_ENTRY_BYTES), kind, max_bytes=MAX_ENTRY_BYTES)


def _change(ctx: click.Context, home: Home, kind: str, entry_id: str, rule: Callable[[Draft], Draft]) -> None:
    RegistrarStore(home).change(rule)
    emit(ctx, f"Added {kind} {entry_id}. Sign the list to make it so.", {"added": entry_id, "kind": kind})


def _show(draft: Draft, signed: int, remarks: list[dict[str, Any]]) -> str:
    lines = [f"{draft.name}: version {signed} is signed" if signed else f"{draft.name}: nothing is signed yet"]
    lines += [f"issuer   {entry.id}  {entry.name}  ({len(entry.vcts)} types)" for entry in draft.issuers]
    for agency in draft.agencies:
        lines.append(f"agency   {agency.id}  {agency.name}")
        lines += [f"  service {entry.id}@{entry.version}  {entry.name.nl}" for entry in agency.services]
    lines += [f"log      {entry.origin}  {entry.url}" for entry in draft.logs]
    kinds = {True: "auditor ", False: "witness "}
    lines += [f"{kinds[entry.auditing]} {entry.name}  {entry.url}" for entry in draft.witnesses]
    lines += [f"wallets  {entry.id}  {entry.name}" for entry in draft.wallet_providers]
    lines += [f"root     {thumbprint_of(root)}  of registration certificates" for root in draft.registration_roots]
    if len(lines) == 1:
        lines.append("The list is empty: add an issuer, an agency, a log and witnesses.")
    return "\n".join([*lines, *(f"look at  {remark['place']}: {remark['text']}" for remark in remarks)])


for _command in cli_publish.COMMANDS:
    group.add_command(_command)
