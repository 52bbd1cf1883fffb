"""`regie log rotate` and `regie log witness rotate`: new keys while everything goes on (docs/rotation.md)."""

import os

import click

from consentlog import config
from consentlog.config import WitnessConfig
from consentlog.keys import ENTRY
from consentlog.rotation import KINDS, Rotation
from protocol.canonical import parse_struct, to_builtins
from protocol.checkpoint import parse_checkpoint_body
from protocol.note import parse_note
from protocol.trust_list import TrustedWitness
from service.clock import SystemClock
from service.command import command, emit
from service.epochs import Epochs, turn_of
from service.home import MAX_FILE_BYTES, Home
from service.trust import TrustSource

_FINISH = click.option("--finish", is_flag=True, help="Let the old key go; the list in force names the new one.")
_BEGUN = "Made the next key; both are in use. Give entry.json to the registrar, then run this with --finish."
_FINISHED = "The old key is gone. Give entry.json to the registrar once more."


@click.command("rotate")
@click.argument("kind", type=click.Choice([*KINDS, "epoch"]))
@_FINISH
@command
def rotate(ctx: click.Context, home: Home, kind: str, finish: bool) -> None:
    """Rotate a key of the log, or begin a new epoch of the keys that wrap shares. The log goes on meanwhile."""
    settings, now = config.log_config(home), SystemClock().now()
    if kind == "epoch":
        if finish:
            raise click.UsageError("an epoch is finished by the running log, when no share of it is left")
        epoch = turn_of(Epochs(Home(home.path / config.EPOCHS)).begin(os.urandom(32), now))
        emit(
            ctx,
            f"Epoch {epoch} has begun. Within a minute the running log wraps all shares anew.",
            {"epoch": epoch},
        )
        return
    rotation = Rotation(home, settings.origin)
    if finish:
        trust = TrustSource(home, settings.trust_list, settings.registrar).current(now)
        entry = rotation.finish(kind, trust, now)
    else:
        entry = rotation.begin(kind, os.urandom)
    emit(ctx, _FINISHED if finish else _BEGUN, {"entry": to_builtins(entry)})


@click.command("rotate")
@click.option("--post-quantum", is_flag=True, help="The ML-DSA-44 key; without one: its first.")
@_FINISH
@command
def rotate_witness(ctx: click.Context, home: Home, post_quantum: bool, finish: bool) -> None:
    """Rotate the key of this witness. It cosigns with both meanwhile, and counts once."""
    settings: WitnessConfig = config.witness_config(home)
    keys = config.witness_keys(home, settings.name)
    try:
        if finish:
            now = SystemClock().now()
            trust = TrustSource(home, settings.trust_list, settings.registrar).current(now)
            keys.finish(trust, now, post_quantum=post_quantum)
        else:
            keys.begin(os.urandom, post_quantum=post_quantum)
    finally:  # also when it was refused: one that was killed before may have left the entry of before
        entry = keys.entry(parse_struct(home.read(ENTRY), TrustedWitness, max_bytes=MAX_FILE_BYTES))
        home.write_json(ENTRY, entry)
    emit(ctx, _FINISHED if finish else _BEGUN, {"entry": to_builtins(entry)})


@click.command("logs")
@command
def witnessed_logs(ctx: click.Context, home: Home) -> None:
    """The latest checkpoint of each log that this witness has cosigned."""
    from consentlog.witness import open_witness

    notes = open_witness(home).notes()
    found = [parse_checkpoint_body(parse_note(note).body) for note in notes]
    lines = [f"{one.origin}  {one.size} entries" for one in found]
    data = {"logs": [{"origin": one.origin, "size": one.size} for one in found]}
    emit(ctx, "\n".join(lines) or "No checkpoint was cosigned here yet.", data)
