"""regie verifier export ldv | vng, govstack-token: what this agency holds and did, in the forms of the field."""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from protocol import __version__
from protocol.canonical import b64u_encode
from protocol.errors import Rejected
from protocol.ldv import otlp_request, record_json
from protocol.trust_list import Service, TrustList
from service.command import command, emit, progress
from service.home import Home
from verifier.collector import Collector
from verifier.desk import Desk
from verifier.govstack_web import PREFIX, TOKEN
from verifier.ldv import decrypt_subject, record_of
from verifier.processing import Processing
from verifier.verwerkingsacties import action_of

LDV_KEY = "ldv.key"
"""Secret of the home under which records name their data subject; made with the first export."""
CHUNK = 500
"""Records in one request to a collector."""
_END = 253_402_300_799


@click.group("export")
def export() -> None:
    """What this agency processed, for the logs that others keep."""


def _span_options(function: Callable[..., Any]) -> Callable[..., Any]:
    day = click.DateTime(["%Y-%m-%d"])
    options = (
        click.option("--grant", metavar="ID", help="Of one agreement only."),
        click.option("--until", type=day, help="Up to, not including, this day (UTC)."),
        click.option("--since", type=day, help="From this day on (UTC)."),
    )
    for option in options:
        function = option(function)
    return function


def _found(desk: Desk, since: datetime | None, until: datetime | None, grant: str | None) -> list[Processing]:
    first = 0 if since is None else int(since.replace(tzinfo=UTC).timestamp())
    last = _END if until is None else int(until.replace(tzinfo=UTC).timestamp())
    return desk.store.processings.all(first, last, grant)


@export.command("ldv")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path), required=False)
@click.option("--form", type=click.Choice(["otlp", "records"]), default="otlp", show_default=True)
@click.option("--collector", metavar="URL", help="Send what was not sent yet to this OTLP collector (/v1/traces).")
@click.option("--subject", metavar="TEXT", help="Say which agreement a record's data subject is.")
@_span_options
@command
def ldv(
    ctx: click.Context,
    home: Home,
    file: Path | None,
    form: str,
    collector: str | None,
    subject: str | None,
    since: datetime | None,
    until: datetime | None,
    grant: str | None,
) -> None:
    """Logboek Dataverwerkingen 0.8: a record for each READ, as OTLP/JSON into FILE (-: stdout) or to a collector.

    Whom a record is about is encrypted; officers are in no record.
    """
    if sum(given is not None for given in (file, collector, subject)) != 1:
        raise click.UsageError("say FILE, --collector URL or --subject TEXT")
    desk = Desk(home)
    key = ldv_key(desk)
    if subject is not None:
        found = decrypt_subject(key, subject)
        emit(ctx, found, {"grant": found})
    elif collector is not None:
        sent = send_records(desk, key, collector)
        emit(ctx, f"{sent} records sent and confirmed", {"sent": sent})
    elif file is not None:
        records = [record_of(each, desk.config.oin, key) for each in _found(desk, since, until, grant)]
        resource = resource_of(desk)
        told = {"resource": {"attributes": resource}, "records": [record_json(record) for record in records]}
        _write(ctx, file, otlp_request(resource, records) if form == "otlp" else told, len(records))


def ldv_key(desk: Desk) -> bytes:
    """Made with the first export."""
    if not desk.home.has(LDV_KEY):
        desk.home.create_secret(LDV_KEY, desk.parts.random(32))
    return desk.home.read_secret(LDV_KEY)


def resource_of(desk: Desk) -> dict[str, str]:
    """What made the records."""
    return {"service.name": "regie-verifier", "service.version": __version__, "regie.oin": desk.config.oin}


def send_records(desk: Desk, key: bytes, url: str) -> int:
    """All that no collector has confirmed, oldest first; how many. Raises as `Collector.send`."""
    target, sent = Collector(desk.parts.fetcher, url, desk.home), 0
    while waiting := desk.store.processings.unreported(CHUNK):
        target.send(resource_of(desk), [record_of(each, desk.config.oin, key) for each in waiting])
        desk.store.processings.report([each.read for each in waiting], desk.now())
        sent += len(waiting)
    return sent


@click.command("govstack-token")
@command
def govstack_token(ctx: click.Context, home: Home) -> None:
    """Make a new token for the read API of GovStack, which switches it on; restart the server."""
    desk = Desk(home)
    token = b64u_encode(desk.parts.random(32))
    home.write_secret(TOKEN, token.encode())
    emit(
        ctx, f"{token}\nRestart the server; the old token ends.", {"token": token, "url": desk.config.url + PREFIX}
    )


@export.command("vng")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@_span_options
@command
def vng(
    ctx: click.Context,
    home: Home,
    file: Path,
    since: datetime | None,
    until: datetime | None,
    grant: str | None,
) -> None:
    """VNG GEMMA Verwerkingenlogging 0.9.0: one verwerkingsactie for each READ, as a JSON array."""
    desk = Desk(home)
    trust = desk.trust(desk.now())
    actions = [_action(desk, trust, each) for each in _found(desk, since, until, grant)]
    _write(ctx, file, actions, len(actions))


def _action(desk: Desk, trust: TrustList, each: Processing) -> dict[str, Any]:
    oin = desk.config.oin
    return action_of(
        each,
        desk.store.processings.terms(each.lock),
        _listed(trust, oin, each),
        each.grant,
        oin=oin,
        system=f"Regie {__version__}",
    )


def _listed(trust: TrustList, oin: str, each: Processing) -> Service | None:
    """None for a service that left the list."""
    try:
        return trust.service(oin, each.service, each.version)
    except Rejected:
        return None


def _write(ctx: click.Context, file: Path, value: Any, count: int) -> None:
    text = json.dumps(value, ensure_ascii=False) + "\n"
    if str(file) == "-":
        sys.stdout.write(text)
        progress(ctx, f"{count} records")
        return
    try:
        with file.open("x", encoding="utf-8") as stream:
            file.chmod(0o600)
            stream.write(text)
    except FileExistsError as error:
        raise Rejected("exists", f"{file} exists already") from error
    emit(ctx, f"{count} records in {file}", {"file": str(file), "records": count})
