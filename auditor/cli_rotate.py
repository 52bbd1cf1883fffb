"""`regie auditor rotate`: a new cosigning key while everything goes on (docs/rotation.md)."""

import os

import click

from auditor.config import cosigner_keys, read_config, trust_of
from protocol.canonical import parse_struct, to_builtins
from protocol.errors import Rejected
from protocol.trust_list import TrustedWitness
from service.clock import SystemClock
from service.command import command, emit
from service.home import MAX_FILE_BYTES, Home

ENTRY = "entry.json"


@click.command("rotate")
@click.option("--post-quantum", is_flag=True, help="The ML-DSA-44 key; without one: its first.")
@click.option("--finish", is_flag=True, help="Let the old key go; the list in force names the new one.")
@command
def rotate(ctx: click.Context, home: Home, post_quantum: bool, finish: bool) -> None:
    """Rotate the key of this cosigner. It cosigns with both meanwhile, and counts once."""
    config = read_config(home)
    if config.name is None:
        raise Rejected("no_cosigner", "this auditor was initialised without --url: it does not cosign")
    keys = cosigner_keys(home, config.name)
    if finish:
        now = SystemClock().now()
        keys.finish(trust_of(home, config).current(now), now, post_quantum=post_quantum)
        text = "The old key is gone. Give entry.json to the registrar once more."
    else:
        keys.begin(os.urandom, post_quantum=post_quantum)
        text = "Made the next key; both are in use. Give entry.json to the registrar, then run this with --finish."
    entry = keys.entry(parse_struct(home.read(ENTRY), TrustedWitness, max_bytes=MAX_FILE_BYTES))
    home.write_json(ENTRY, entry)
    emit(ctx, text, {"entry": to_builtins(entry)})
