"""regie verifier: an agency's desk."""

import getpass
import os
import re
import secrets
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from msgspec.structs import replace

from protocol.attributes import short_name
from protocol.canonical import parse_object, to_builtins
from protocol.case_reference import parse_case_reference
from protocol.errors import Rejected
from protocol.keys import parse_jwk
from protocol.terms import Context, Zone, places_of
from protocol.trust_list import Service
from service.app import serve as run_server
from service.cli_staff import staff_command
from service.command import command, emit, progress, read_input, tls_of, tls_options
from service.home import CONFIG, Home
from service.trace import VARIABLE, callers_span, within
from verifier import (
    cli_alarms,
    cli_batch,
    cli_cohort,
    cli_export,
    cli_figures,
    cli_inbox,
    cli_officers,
    cli_paper,
    cli_request,
    cli_standing,
)
from verifier.ask import Wish
from verifier.batch import apart
from verifier.config import DATABASE, DESK, VerifierConfig, check_verifier_url
from verifier.currency import check_current, outdated_types
from verifier.desk import Desk
from verifier.evidence import export_evidence
from verifier.gate import Purpose
from verifier.grants import StoredGrant
from verifier.reader import read_grant, take_shared
from verifier.requests import StoredRequest
from verifier.signing import make_keys
from verifier.store import Store
from verifier.verify import flat_values, labels

DEFAULT_PORT = 8082


@click.group()
def group() -> None:
    """Ask for attributes, check and read them."""


@group.command("init")
@click.option("--url", required=True, help="Where wallets reach this agency.")
@click.option("--oin", required=True, help="Organisatie-identificatienummer, 20 digits.")
@click.option("--name", required=True, help="Name that residents see.")
@click.option("--trust-list", required=True, help="Path or URL of the trust list.")
@click.option("--registrar", required=True, help="File with the registrar's public key (JWK).")
@click.option("--log", required=True, help="Origin of the consent log.")
@click.option(
    "--accept-undetermined",
    multiple=True,
    metavar="SERVICE",
    help="Go on when a credential's status is not known.",
)
@command
def init(
    ctx: click.Context,
    home: Home,
    url: str,
    oin: str,
    name: str,
    trust_list: str,
    registrar: str,
    log: str,
    accept_undetermined: tuple[str, ...],
) -> None:
    """Make keys and an empty store; print the entry for the trust list."""
    home.create()
    if home.has(CONFIG):
        raise Rejected("exists", f"{home.path} has been initialised before")
    if not re.fullmatch(r"[0-9]{20}", oin):
        raise click.UsageError("an OIN has 20 digits")
    if not name.strip() or len(name) > 256:
        raise click.UsageError("a name has 1 to 256 characters")
    jwk = parse_object(read_input(registrar))
    parse_jwk(jwk)
    config = VerifierConfig(
        role="verifier",
        url=check_verifier_url(url),
        oin=oin,
        name=name.strip(),
        log=log,
        trust_list=trust_list,
        registrar=jwk,
        accept_undetermined=accept_undetermined,
    )
    entry = make_keys(home, config, now=int(time.time()), random=secrets.token_bytes)
    Store(home.file(DATABASE)).close()
    path = home.write_json("entry.json", entry)
    home.write_config(config)  # last: a home without it counts as not initialised
    emit(ctx, f"Agency {name} is ready. For the registrar: {path}", {"entry": to_builtins(entry)})


@group.command("services")
@command
def services(ctx: click.Context, home: Home) -> None:
    """List what this agency is registered to ask."""
    desk = Desk(home)
    listed = desk.agency(desk.trust(desk.now())).services
    human = "\n".join(_service_line(service) for service in listed) or "No services in the trust list yet."
    emit(ctx, human, {"services": [_service(service) for service in listed]})


def _service(service: Service) -> dict[str, Any]:
    return {
        "id": service.id,
        "version": service.version,
        "name": to_builtins(service.name),
        "purpose": to_builtins(service.purpose),
        "basis": service.basis,
        "claims": labels([(claim.vct, claim.path[0]) for claim in service.claims]),
        "needed": labels([(claim.vct, claim.path[0]) for claim in service.claims if claim.needed]),
        "mode": service.mode,
        "retention": service.retention,
    }


def _service_line(service: Service) -> str:
    claims = ", ".join(labels([(claim.vct, claim.path[0]) for claim in service.claims]))
    return f"{service.id} (version {service.version})  {service.name.nl}: {claims}"


@group.command("ask")
@click.argument("service")
@click.option("--case", help="The agency's case number; the grant then holds for this case only.")
@click.option("--once", is_flag=True, help="Ask for a copy (plain OpenID4VP): no log guards it.")
@click.option("--max-reads", type=click.IntRange(1, 1_000_000), help="Ask for at most this many reads.")
@click.option("--days", type=click.IntRange(1, 36_500), help="Ask for this term; never longer than registered.")
@click.option("--hours", help="Read only within these hours, e.g. 8-18 (Europe/Amsterdam).")
@click.option("--weekdays", help="Read only on these ISO weekdays, e.g. 1,2,3,4,5.")
@click.option("--zone", type=click.Choice(["office", "remote"]), help="Read only from there.")
@click.option("--same-device", is_flag=True, help="For a browser on the wallet's device, which it comes back to.")
@command
def ask(
    ctx: click.Context,
    home: Home,
    service: str,
    case: str | None,
    once: bool,
    max_reads: int | None,
    days: int | None,
    hours: str | None,
    weekdays: str | None,
    zone: Zone | None,
    same_device: bool,
) -> None:
    """Ask for the attributes of SERVICE: prints a link and a QR for the wallet."""
    context = _context(hours, weekdays, zone)
    named = None if case is None else parse_case_reference(case).text
    wish = Wish(once, named, max_reads, days, context, same_device=same_device)
    cli_request.emit_request(ctx, *Desk(home).ask(service, wish), same_device=same_device)


def _context(hours: str | None, weekdays: str | None, zone: Zone | None) -> Context | None:
    if hours is None and weekdays is None and zone is None:
        return None
    try:
        span = None if hours is None else [int(part) for part in hours.split("-")]
        days = None if weekdays is None else sorted({int(part) for part in weekdays.split(",")})
    except ValueError as error:
        raise click.UsageError("hours are like 8-18, weekdays like 1,2,3") from error
    if span is not None and not (len(span) == 2 and 0 <= span[0] < span[1] <= 24):
        raise click.UsageError("hours are like 8-18")
    if days is not None and not all(1 <= day <= 7 for day in days):
        raise click.UsageError("weekdays are 1 (Monday) to 7")
    return Context(days=days, hours=span, zone=zone)


@group.command("requests")
@command
def requests(ctx: click.Context, home: Home) -> None:
    """List requests, the newest first, and what became of them."""
    desk = Desk(home)
    now = desk.now()
    found = [_request(desk, stored, now) for stored in desk.store.requests.all()]
    lines = [f"{item['id']}  {item['service']}  {item['kind']}  {item['state']}" for item in found]
    emit(ctx, "\n".join(lines) or "No requests yet.", {"requests": found})


def _request(desk: Desk, stored: StoredRequest, now: int) -> dict[str, Any]:
    request = stored.request
    state = "expired" if stored.state == "open" and now >= request.exp else str(stored.state)
    item = {
        "id": request.id,
        "service": request.service,
        "kind": request.kind,
        "state": state,
        "created": request.created,
        "exp": request.exp,
    }
    session = desk.store.sessions.of(request.id)
    if session is not None:
        item["session"] = session.state
    elif state == "open":
        item["request"] = desk.link(request)
    return item | ({"error": stored.error} if stored.error else {})


@group.command("grants")
@command
def grants(ctx: click.Context, home: Home) -> None:
    """List grants, the newest first; the state is what the log last told us."""
    desk = Desk(home)
    now = desk.now()
    found = [_grant(grant, now) for grant in desk.store.grants.all()]
    lines = [
        f"{item['id']}  slot {item['slot']}  {item['service']}  {item['state']}"
        + ("  on behalf of the resident" if item["on_behalf"] else "")
        for item in found
    ]
    emit(ctx, "\n".join(lines) or "No grants yet.", {"grants": found})


def _grant(grant: StoredGrant, now: int) -> dict[str, Any]:
    terms = grant.answer.terms
    places = [(place.vct, place.name) for place in places_of(terms)]
    return {
        "id": grant.id,
        "slot": grant.slot,
        "service": terms.service,
        "state": "expired" if grant.state == "active" and now >= terms.not_after else grant.state,
        "claims": labels(places),
        "not_after": terms.not_after,
        "version": terms.version,
        "on_behalf": terms.on_behalf_of is not None,
    }


@group.command("read")
@click.argument("grant_id", metavar="ID")
@click.option(
    "--only", multiple=True, metavar="ATTR", help="Only this attribute, e.g. postcode or adres.postcode."
)
@click.option("--case", help="The case this reading is for (needed for a grant).")
@click.option("--officer", help="Who reads; default: the name of this account.")
@click.option("--zone", type=click.Choice(["office", "remote"]), default="office", show_default=True)
@click.option("--only-current", is_flag=True, help="Do not read when the register has newer data.")
@command
def read(
    ctx: click.Context,
    home: Home,
    grant_id: str,
    only: tuple[str, ...],
    case: str | None,
    officer: str | None,
    zone: Zone,
    only_current: bool,
) -> None:
    """Read under a grant, or take what was shared once.

    Under a grant every reading is entered in the log first; values are printed and never kept. Before that it is
    said which of them are out of date: the register has changed, and the resident has not sent newer ones. A copy
    (`ask --once`) waits sealed in this home for at most seven days, is handed over once, and then deleted.

    The log is told that a person reads; programs read by `verifier batch` and `verifier.machine`.
    """
    desk = Desk(home)
    number = parse_case_reference(case).text if case else ""
    purpose = Purpose(number, officer or getpass.getuser(), zone=zone)
    if desk.store.requests.get(grant_id).request.kind == "copy":
        desk.officers.note_copy(grant_id, purpose, desk.now())
        shared = take_shared(desk, grant_id)
        values = flat_values(shared)
        emit(ctx, _lines(values), {"values": values, "credentials": to_builtins(shared)})
        return
    if not case:
        raise click.UsageError("say which case this is for: --case N")
    outdated = outdated_types(desk, desk.store.grants.get(grant_id))
    if outdated:
        progress(ctx, f"Out of date: {', '.join(map(short_name, outdated))}. The register has newer data.")
    if only_current:
        check_current(outdated)
    with within(callers_span(os.environ.get(VARIABLE))):
        opened = read_grant(desk, grant_id, only, purpose)
    values, flags = apart(opened.values)
    data: dict[str, Any] = {"values": values, "flags": flags, "index": opened.index, "n": opened.n}
    data["out_of_date"] = [short_name(vct) for vct in outdated]
    if opened.gaps:
        data["gaps"] = list(opened.gaps)
    told = f"{_lines(values)}\n\nThe register adds:\n{_lines(flags)}"
    emit(ctx, f"{told}\n\nEntry {opened.index} in the log, reading {opened.n + 1}", data)


def _lines(values: dict[str, Any]) -> str:
    return "\n".join(f"{name}: {'–' if value is None else value}" for name, value in values.items())


@group.command("use-log")
@click.argument("origin")
@command
def use_log(ctx: click.Context, home: Home, origin: str) -> None:
    """Ask for new grants in the log ORIGIN from now on; restart the server. Old grants stay in their log."""
    desk = Desk(home)
    now = desk.now()
    if not desk.trust(now).log(origin).takes_grants(now):
        raise Rejected("log_closed", "this log takes no new grants", status=410)
    home.write_config(replace(desk.config, log=origin))
    emit(ctx, f"New grants go to {origin}. Restart the server.", {"log": origin})


@group.command("evidence")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--log", help="Origin of the log whose grants it is about; default: the one for new grants.")
@command
def evidence(ctx: click.Context, home: Home, file: Path, log: str | None) -> None:
    """Write grants, READs and proofs to FILE, one SQLite database without values."""
    desk = Desk(home)
    counts = export_evidence(
        desk.store,
        desk.config,
        file,
        log=log or desk.config.log,
        now=desk.now(),
        account=desk.officers.last(),
    )
    emit(ctx, f"{counts['grants']} grants and {counts['reads']} reads in {file}", {"file": str(file), **counts})


@group.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), help="Default: the port of the agency's URL.")
@tls_options
@command
def serve(ctx: click.Context, home: Home, host: str, port: int | None) -> None:
    """Answer wallets until stopped."""
    url = home.config(VerifierConfig).url
    run_server(
        "verifier.front:create",
        home.path,
        host,
        port if port is not None else urlsplit(url).port or DEFAULT_PORT,
        tls=tls_of(ctx),
    )


group.add_command(cli_request.request)
group.add_command(cli_request.verdict)
group.add_command(cli_standing.check)
group.add_command(cli_standing.follow)
group.add_command(staff_command(VerifierConfig, mount=DESK, roles=("clerk", "manager", "privacy")))
group.add_command(cli_paper.stop_paper)
group.add_command(cli_alarms.alarms)
group.add_command(cli_batch.batch)
group.add_command(cli_batch.batches)
group.add_command(cli_export.export)
group.add_command(cli_export.govstack_token)
group.add_command(cli_inbox.inbox)
group.add_command(cli_inbox.answer)
group.add_command(cli_inbox.access)
group.add_command(cli_cohort.cohort)
group.add_command(cli_figures.figures)
group.add_command(cli_officers.officers)
