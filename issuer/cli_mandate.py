"""regie issuer mandate: what courts decided, and what ends. Two officers register; names are not published."""

import datetime

import click

from issuer.appointments import Appointment, Appointments, parse_services
from issuer.brp import parse_bsn
from issuer.config import IssuerConfig
from issuer.mandate import COURT_KINDS, CourtKind, Registered
from issuer.web import open_office
from protocol.errors import Rejected
from service.command import command, emit, read_secret
from service.home import Home


def _appointments(home: Home) -> Appointments:
    return Appointments(open_office(home, home.config(IssuerConfig)))


def _without_counter(home: Home) -> Appointments:
    """For decisions that take two officers: where staff sign in, an officer is an account and no typed name, so
    that nobody is both. Raises `Rejected`: `at_counter` 409.
    """
    if home.config(IssuerConfig).staff is not None:
        raise Rejected("at_counter", "officers sign in here: do this at the counter, as two accounts", status=409)
    return _appointments(home)


def _until(text: str) -> int:
    """Midnight UTC of a day. Raises `click.UsageError`."""
    try:
        day = datetime.date.fromisoformat(text)
    except ValueError as error:
        raise click.UsageError("--until is a day: 2027-01-31") from error
    return int(datetime.datetime(day.year, day.month, day.day, tzinfo=datetime.UTC).timestamp())


def _day(time: int) -> str:
    return datetime.datetime.fromtimestamp(time, datetime.UTC).date().isoformat()


def _line(one: Registered) -> str:
    state = "registered" if one.token else "waits for a second officer"
    return f"{one.id}  {one.kind}, until {_day(one.until)}: {state}"


def _told(one: Registered) -> dict[str, str | int]:
    return {"id": one.id, "kind": one.kind, "until": one.until, "state": "registered" if one.token else "waiting"}


@click.group("mandate")
def mandate() -> None:
    """Who acts for whom by decision of a court; parents come out of the register by themselves."""


@mandate.command("add")
@click.option("--represented", required=True, help="BSN; - reads it from stdin.")
@click.option(
    "--delegate",
    "delegates",
    multiple=True,
    required=True,
    help="BSN of who acts; at most twice; - reads it from stdin, a line each.",
)
@click.option("--kind", type=click.Choice(COURT_KINDS), required=True)
@click.option("--until", required=True, help="Last day: 2027-01-31.")
@click.option("--decision", required=True, help="Reference of the decision; kept here, not published.")
@click.option("--service", "services", multiple=True, help="OIN/service; every service without it.")
@click.option("--officer", required=True, help="Who has read the decision.")
@command
def add(
    ctx: click.Context,
    home: Home,
    represented: str,
    delegates: tuple[str, ...],
    kind: CourtKind,
    until: str,
    decision: str,
    services: tuple[str, ...],
    officer: str,
) -> None:
    """Write down what a court decided; a second officer confirms it. Where staff sign in: at the counter."""
    read = Appointment(
        kind,
        parse_bsn(read_secret(represented, name="BSN")),
        tuple(parse_bsn(read_secret(one, name="BSN of who acts")) for one in delegates),
        _until(until),
        decision,
        parse_services(services),
    )
    id_ = _without_counter(home).add(officer, read)
    emit(ctx, f"{id_}\nWaits for a second officer: regie issuer mandate confirm {id_}", {"id": id_})


@mandate.command("confirm")
@click.argument("mandate_id", metavar="ID")
@click.option("--officer", required=True, help="Who has read the decision too: somebody else.")
@command
def confirm(ctx: click.Context, home: Home, mandate_id: str, officer: str) -> None:
    """Confirm what a colleague wrote down: it is signed, and the wallet of who acts can take it. Where staff sign
    in: at the counter.
    """
    found = _without_counter(home).confirm(officer, mandate_id)
    emit(ctx, f"Registered until {_day(found.until)}.", {"id": found.id, "until": found.until})


@mandate.command("end")
@click.argument("mandate_id", metavar="ID")
@click.option("--officer", required=True, help="Who ends it.")
@command
def end(ctx: click.Context, home: Home, mandate_id: str, officer: str) -> None:
    """End a mandate of any kind, or refuse what waits: every card under it is revoked."""
    revoked = _appointments(home).end(officer, mandate_id)
    emit(ctx, f"Ended; {revoked} copies are revoked.", {"id": mandate_id, "revoked": revoked})


@mandate.command("list")
@click.option("--bsn", help="Of whom, represented or acting; - reads it from stdin. What waits without it.")
@command
def list_(ctx: click.Context, home: Home, bsn: str | None) -> None:
    """List the mandates of somebody, or what waits for a second officer."""
    found = _appointments(home)
    if bsn is None:
        rows = [one for one, _ in found.waiting()]
    else:
        rows = found.of(parse_bsn(read_secret(bsn, name="BSN")))
    emit(ctx, "\n".join(map(_line, rows)) or "There is none.", {"mandates": [_told(one) for one in rows]})


@mandate.command("tick")
@command
def tick(ctx: click.Context, home: Home) -> None:
    """End what law allows no more, as terms and birthdays pass; a daily job. Imports do it for who has changed."""
    ended = _appointments(home).tick()
    emit(ctx, f"{ended} mandates ended.", {"ended": ended})
