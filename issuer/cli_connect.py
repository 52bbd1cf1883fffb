"""regie issuer connect: the register at its source."""

import time
from collections.abc import Sequence

import click

from issuer.brp import Bsn, parse_bsn
from issuer.brp_api import fields_for
from issuer.config import IssuerConfig
from issuer.connect import Connector, Report
from issuer.office import Office
from issuer.source import BRP_KEY, WOZ_KEY, BrpSource, WozSource
from issuer.web import open_office
from protocol.errors import Rejected
from service.bound_headers import read_headers
from service.command import command, emit, progress, read_secret
from service.fetch import Fetcher
from service.home import Home

HOURS = 12
_TOLD_SECONDS = 5
MAX_BSN_LINES = 2_000_000


@click.command("connect")
@click.argument("url")
@click.option("--bsn", help="Ask for one resident only; - reads the number from stdin.")
@click.option("--file", "file_", type=click.Path(allow_dash=True), help="Ask for these: a BSN a line; - is stdin.")
@click.option("--woz", metavar="URL", help="Ask WOZ bevragen there (before `/wozobjecten`) about their homes.")
@click.option(
    "--older-than", "hours", type=click.FloatRange(min=0), default=HOURS, show_default=True, help="Hours."
)
@command
def connect(
    ctx: click.Context, home: Home, url: str, bsn: str | None, file_: str | None, woz: str | None, hours: float
) -> None:
    """Ask BRP API Personen at URL (before `/personen`), and let changes there reach what was issued.

    Without --bsn or --file: for everybody in the register whose record is older than --older-than. A run that was
    cut off goes on where it was when it is repeated.
    """
    if bsn is not None and file_ is not None:
        raise click.UsageError("either --bsn or --file")
    config = home.config(IssuerConfig)
    office = open_office(home, config)
    source = BrpSource(Fetcher(), url, read_headers(home, BRP_KEY, url), time.sleep)
    connector = Connector(office, source, fields_for(office.credentials), _homes(home, office, woz))
    wanted = _wanted(bsn, file_)
    if wanted is None:
        wanted = connector.known_before(office.clock.now() - int(hours * 3600))
    report = connector.refresh(wanted, _Teller(ctx, len(wanted)))
    emit(ctx, _words(report), report.to_json())
    if not report.is_whole:
        ctx.exit(1)


def _homes(home: Home, office: Office, url: str | None) -> WozSource | None:
    if url is None:
        return None
    if "woz" not in office.credentials:
        raise Rejected("not_made_here", "this issuer makes nothing of the WOZ: see `credentials` in config.json")
    return WozSource(Fetcher(), url, read_headers(home, WOZ_KEY, url), time.sleep)


def _wanted(bsn: str | None, file_: str | None) -> list[Bsn] | None:
    """Whom to ask for; None for everybody who is known."""
    if bsn is not None:
        return [parse_bsn(read_secret(bsn, name="BSN"))]
    if file_ is None:
        return None
    try:
        with click.open_file(file_, encoding="ascii") as stream:
            lines = [line.strip() for line, _ in zip(stream, range(MAX_BSN_LINES), strict=False)]
    except (UnicodeError, FileNotFoundError) as error:
        raise click.UsageError("a file with one BSN a line") from error
    found = []
    for number, line in enumerate(lines, 1):
        try:
            found += [parse_bsn(line)] if line else []
        except Rejected as error:
            raise Rejected("bad_bsn", f"line {number}: {error.detail}") from error
    return found


class _Teller:
    """A line of progress now and then."""

    def __init__(self, ctx: click.Context, total: int) -> None:
        self._ctx, self._total, self._last = ctx, total, time.monotonic()

    def __call__(self, report: Report) -> None:
        if time.monotonic() - self._last >= _TOLD_SECONDS:
            self._last = time.monotonic()
            progress(self._ctx, f"{report.asked} of {self._total}")


def _words(report: Report) -> str:
    refused: Sequence[str] = [f"{count} refused ({code})" for code, count in sorted(report.refused.items())]
    missing = [f"{report.missing} not known there, of whom {report.held} are held for a clerk"]
    parts = [f"{report.taken} of {report.asked} taken", *(missing if report.missing else []), *refused]
    return f"{', '.join(parts)}. Copies out of date: {report.superseded}; revoked: {report.revoked}."
