"""regie wallet, what comes after a grant: stop, catch up, look back, erase, back up, restore."""

from pathlib import Path

import click

from protocol.passphrase import PROFILES
from protocol.revocation_code import PAPER_QR_PREFIX, parse_code, parse_paper_qr
from service.command import EXIT_REFUSED, EXIT_UNAVAILABLE, command, confirm, emit, read_input, read_secret
from service.home import Home
from wallet import errand_backup, show
from wallet.cli_open import PROFILE, passphrase_option, read_passphrase, with_wallet
from wallet.errand_history import look_back
from wallet.errand_leaves import search_hidden
from wallet.errand_paper import PaperStop, stop_by_code
from wallet.errand_remove import remove_wallet, running_grants
from wallet.errand_revoke import stop_grant
from wallet.errand_sync import SyncReport, deliver_stops, synchronise
from wallet.folding import fold, polling_key
from wallet.opened import OpenWallet, open_wallet, surroundings
from wallet.state import state_of_stop


@click.command("revoke")
@click.argument("grant_id", metavar="ID", required=False)
@click.option("--code", metavar="CODE", help="The 40 digits or the QR text of a paper; - reads it from stdin.")
@passphrase_option
@command
def revoke(
    ctx: click.Context, home: Home, grant_id: str | None, code: str | None, passphrase_file: str | None
) -> None:
    """Stop grant ID, or any grant by its paper code, which needs no passphrase. Works without a network."""
    if (grant_id is None) == (code is None):
        raise click.UsageError("say which grant: its number, or --code with the code on its paper")
    around = surroundings(home)
    if code is not None:
        text = read_secret(code, name="code")
        log_url, secret = parse_paper_qr(text) if text.startswith(PAPER_QR_PREFIX) else (None, parse_code(text))
        stop = stop_by_code(around, secret, log_url=log_url)
        data = {"state": stop.state, "at_log": stop.at_log, "cosigners": list(stop.cosigners)}
        emit(ctx, _paper_text(stop), data)
        return
    with open_wallet(around, read_passphrase(passphrase_file)) as wallet:
        record = stop_grant(wallet, str(grant_id))
        data = {
            "id": grant_id,
            "state": state_of_stop(record),
            "at_log": record.stop is not None and record.stop.receipt is not None,
            "cosigners": record.stop.cosigners if record.stop else [],
            "index": record.stop.confirmed if record.stop else None,
        }
        emit(ctx, show.stop_text(str(grant_id), record), data)


def _paper_text(stop: PaperStop) -> str:
    if stop.state == "confirmed":
        return "Stopped, and confirmed by the log."
    if stop.at_log:
        return "Stopped: the log promised it. It will be confirmed within a minute; look again then."
    held = f" {len(stop.cosigners)} watcher(s) of the log hold it." if stop.cosigners else ""
    return f"Not yet confirmed: the log cannot be reached.{held} Try again, or run `regie wallet sync` here later."


@click.command("sync")
@click.option("--accept-older", is_flag=True, help="This older wallet file is the real one.")
@passphrase_option
@command
def sync(ctx: click.Context, home: Home, accept_older: bool, passphrase_file: str | None) -> None:
    """Deliver stops that wait, finish grants that were begun, and hold every grant against the log."""
    with open_wallet(surroundings(home), read_passphrase(passphrase_file), accept_older=accept_older) as wallet:
        report = synchronise(wallet)
    data = {
        "stopped": report.stopped,
        "finished": report.finished,
        "found": report.found,
        "delivered": report.delivered,
        "waiting": report.waiting,
        "renewed": report.renewed,
        "asks": [{"id": name, "why": why} for name, why in report.asks],
        "problems": [{"about": about, "code": code} for about, code in report.problems],
        "unreachable": report.unreachable,
    }
    emit(ctx, _sync_text(report), data)
    if report.problems:
        ctx.exit(EXIT_REFUSED)
    if report.unreachable or report.waiting:
        ctx.exit(EXIT_UNAVAILABLE)


def _sync_text(report: SyncReport) -> str:
    lines = [f"Stopped and confirmed: grant {name}." for name in report.stopped]
    lines += [f"Finished: grant {name}." for name in report.finished]
    lines += [f"Found again in the log: grant {name}." for name in report.found]
    lines += [f"Renewed with your new data: grant {name}." for name in report.renewed]
    lines += [f"{show.ASKS[why]} `regie wallet refresh {name}`" for name, why in report.asks]
    lines += [f"Still to be delivered: {name}." for name in report.waiting]
    lines += [
        f"Something is wrong with grant {name}: {code}. Look with `regie wallet history {name}`."
        for name, code in report.doubts
    ]
    lines += [
        f"Something is wrong with {name}: {code}. It is looked at again at the next sync."
        for name, code in report.others
    ]
    lines += [
        f"Stopped: {name}. Another party made it, and hid what it says. "
        "`regie wallet mandates` shows who may act; `regie wallet mandate end ID` ends it."
        for name in report.stopped_acts
    ]
    if report.unreachable:
        lines.append("Not everybody could be reached; try again later.")
    return "\n".join(lines) or "Everything is up to date."


@click.command("history")
@click.argument("grant_id", metavar="ID", required=False)
@click.option(
    "--thorough", is_flag=True, help="Search the whole public log for entries that it does not show you."
)
@with_wallet
def history(ctx: click.Context, wallet: OpenWallet, grant_id: str | None, thorough: bool) -> None:
    """Show who looked at what, proven by the log: of grant ID, or of all, with the copies you gave."""
    deliver_stops(wallet)
    records = {grant_id: wallet.grant(grant_id)} if grant_id else wallet.grants()
    events, lines = [], []
    for name, record in records.items():
        if record.slot is None and grant_id is None:
            continue
        found = search_hidden(wallet, name) if thorough else look_back(wallet, name)
        told = [show.event_data(name, event) for event in found.history.events]
        events += told
        lines.append(f"Grant {name}, {record.agency.name}, {record.service}:")
        folds = fold(found.history.events, lambda event: polling_key(event, event.time or 0))
        lines += [show.fold_text(name, each, record.agency.name) for each in folds]
    activities = [] if grant_id else wallet.activities()
    if activities:
        lines.append("Without a log:")
        lines += [show.activity_text(activity) for activity in activities]
    data = {"events": events, "activities": [show.activity_data(activity) for activity in activities]}
    emit(ctx, "\n".join(lines) or "Nothing has happened yet.", data)


@click.command("backup")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--profile", type=PROFILE, default="standard", show_default=True, help="Price of a guess.")
@passphrase_option
@command
def backup(ctx: click.Context, home: Home, file: Path, profile: str, passphrase_file: str | None) -> None:
    """Write the whole wallet into FILE, sealed under your passphrase, and read it back to be sure."""
    passphrase = read_passphrase(passphrase_file)
    with open_wallet(surroundings(home), passphrase) as wallet:
        size = errand_backup.back_up(wallet, file, passphrase, PROFILES[profile])
    text = f"Your wallet is in {file} ({size} bytes), checked. Keep it away from this machine."
    emit(ctx, text, {"file": str(file), "bytes": size, "verified": True})


@click.command("remove")
@click.option("--yes", is_flag=True, help="Do not ask on a terminal.")
@passphrase_option
@command
def remove(ctx: click.Context, home: Home, yes: bool, passphrase_file: str | None) -> None:
    """Take the wallet off this machine. Backups and papers stay; so do agreements, until they are stopped."""
    with open_wallet(surroundings(home), read_passphrase(passphrase_file)) as wallet:
        running = running_grants(wallet)
        confirm(f"{len(running)} agreement(s) go on. Remove the wallet from {home.path}?", yes=yes)
        remove_wallet(wallet)
    emit(ctx, f"The wallet is no longer in {home.path}.", {"removed": True, "running": running})


@click.command("restore")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--backup-passphrase-file", metavar="FILE", help="If the backup has another passphrase.")
@click.option("--profile", type=PROFILE, default="standard", show_default=True, help="Price of a guess.")
@passphrase_option
@command
def restore(
    ctx: click.Context,
    home: Home,
    file: Path,
    backup_passphrase_file: str | None,
    profile: str,
    passphrase_file: str | None,
) -> None:
    """Put the backup FILE into an empty home, then hold it against the log."""
    passphrase = read_passphrase(passphrase_file)
    other = read_passphrase(backup_passphrase_file) if backup_passphrase_file else passphrase
    data = read_input(str(file), max_bytes=errand_backup.MAX_BACKUP_BYTES)
    contents = errand_backup.restore(home, data, other, passphrase, profile)
    with open_wallet(surroundings(home), passphrase) as wallet:
        report = synchronise(wallet)
        must_search = wallet.must_search
    wait = "Until the log was searched you cannot give anything: run `regie wallet sync`.\n" if must_search else ""
    text = (
        f"Your wallet of {show.moment(contents.made_at)} is back.\n{_sync_text(report)}\n{wait}"
        "Copies that you gave since then stand in no log. If you gave any, get new cards before you give the next "
        "one: two agencies with the same copy could see that it is you."
    )
    emit(
        ctx,
        text,
        {
            "made_at": contents.made_at,
            "found": report.found,
            "stopped": report.stopped,
            "synced": not report.unreachable and not report.problems,
        },
    )
