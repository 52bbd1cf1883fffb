"""`regie log fsck`, `backup` and `restore`: commands about the store of a log."""

from pathlib import Path

import click

from consentlog import config
from protocol.canonical import b64u_encode
from protocol.errors import Rejected
from service.clock import SystemClock
from service.command import command, emit, progress
from service.home import Home


@click.command("fsck")
@click.option("--without-epochs", is_flag=True, help="Do not open the shares: the epoch keys are not here.")
@command
def fsck(ctx: click.Context, home: Home, without_epochs: bool) -> None:
    """Derive everything again from the leaves and compare; exit status 1 when anything does not fit.

    Only reads, and may run beside the serving log.
    """
    from consentlog.fsck import check_store
    from consentlog.lock import GlobalLock
    from consentlog.stores import existing_engine
    from service.epochs import Epochs

    settings = config.log_config(home)
    locked = GlobalLock(existing_engine(settings.lock_url(home)), settings.origin).read()
    report = check_store(
        existing_engine(settings.database_url(home)),
        locked,
        None if without_epochs else Epochs(Home(home.path / config.EPOCHS)),
        origin=settings.origin,
        now=SystemClock().now(),
        progress=lambda line: progress(ctx, line),
    )
    lines = [f"{fault.place}: {fault.text} ({fault.code})" for fault in report.faults]
    end = "everything fits" if not report.faults else f"{len(report.faults)} faults"
    if not report.is_whole:
        end += "; the look ended before its end"
    emit(
        ctx,
        "\n".join([*lines, f"{report.size} leaves: {end}"]),
        {
            "size": report.size,
            "root": b64u_encode(report.root),
            "is_whole": report.is_whole,
            "faults": [{"code": fault.code, "place": fault.place, "text": fault.text} for fault in report.faults],
        },
    )
    if report.faults or not report.is_whole:
        ctx.exit(1)


@click.command("backup")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@command
def backup(ctx: click.Context, home: Home, file: Path) -> None:
    """Copy the log's database to FILE, also while it is served: no keys, no lock. SQLite only."""
    from consentlog.backup import back_up

    size = back_up(_sqlite_database(home, must_exist=True), file.absolute())
    emit(ctx, f"{file}: {size} bytes. Keys and lock are not in it.", {"file": str(file), "bytes": size})


@click.command("restore")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@command
def restore(ctx: click.Context, home: Home, file: Path) -> None:
    """Make FILE the database of this home, which must have none; the lock decides whether it may be used."""
    from consentlog.backup import restore as put_back
    from consentlog.lock import GlobalLock
    from consentlog.stores import existing_engine
    from service.epochs import Epochs

    settings = config.log_config(home)
    with home.lock("serve.lock"):
        locked = GlobalLock(existing_engine(settings.lock_url(home)), settings.origin).read()
        restored = put_back(
            file.absolute(),
            _sqlite_database(home, must_exist=False),
            locked,
            Epochs(Home(home.path / config.EPOCHS)),
            origin=settings.origin,
            now=SystemClock().now(),
        )
    lines = [f"{restored.size} leaves are back; the log may go on."]
    if restored.lost_shares:
        lines.append(f"Of {restored.lost_shares} grants the epoch key is gone: residents renew them.")
    emit(ctx, "\n".join(lines), {"size": restored.size, "lost_shares": restored.lost_shares})


def _sqlite_database(home: Home, *, must_exist: bool) -> Path:
    from consentlog.stores import sqlite_path

    path = sqlite_path(config.log_config(home).database_url(home))
    if path is None:
        raise Rejected(
            "not_sqlite", "a log on PostgreSQL is copied by pg_dump or pg_basebackup (docs/operating.md)"
        )
    if must_exist and not path.exists():
        raise Rejected("no_database", f"{path} is missing", status=404)
    return path
