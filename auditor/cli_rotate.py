"""`regie auditor rotate`: a new cosigning key while everything goes on (docs/rotation.md)."""

import os

import click
import msgspec

from auditor.config import cosigner_keys, deposit_keys, newest_deposit_key, read_config, trust_of
from protocol.canonical import parse_struct, to_builtins
from protocol.errors import Rejected
from protocol.seal import KEM_SEED_BYTES
from protocol.trust_list import TrustedWitness, TrustList
from service.clock import SystemClock
from service.command import command, emit
from service.home import MAX_FILE_BYTES, Home
from service.trust import LISTED_SECONDS

ENTRY = "entry.json"


@click.command("rotate")
@click.option("--post-quantum", is_flag=True, help="The ML-DSA-44 key; without one: its first.")
@click.option("--deposit", is_flag=True, help="The key that opens deposits of shares.")
@click.option("--finish", is_flag=True, help="Let the old key go; the list in force names the new one.")
@command
def rotate(ctx: click.Context, home: Home, post_quantum: bool, deposit: bool, finish: bool) -> None:
    """Rotate a key of this cosigner. It cosigns with both meanwhile, and counts once; deposits open with both."""
    if deposit and post_quantum:
        raise click.UsageError("one key at a time: --deposit or --post-quantum")
    config = read_config(home)
    if config.name is None:
        raise Rejected("no_cosigner", "this auditor was initialised without --url: it does not cosign")
    keys = cosigner_keys(home, config.name)
    now = SystemClock().now()
    if finish and deposit:
        finish_deposit_key(home, trust_of(home, config).current(now), config.name, now)
        text = "The old key is gone."
    elif finish:
        keys.finish(trust_of(home, config).current(now), now, post_quantum=post_quantum)
        text = "The old key is gone. Give entry.json to the registrar once more."
    else:
        if deposit:
            deposit_keys(home).begin(os.urandom(KEM_SEED_BYTES))
        else:
            keys.begin(os.urandom, post_quantum=post_quantum)
        text = "Made the next key; both are in use. Give entry.json to the registrar, then run this with --finish."
    entry = keys.entry(parse_struct(home.read(ENTRY), TrustedWitness, max_bytes=MAX_FILE_BYTES))
    entry = msgspec.structs.replace(entry, deposit_key=newest_deposit_key(home))
    home.write_json(ENTRY, entry)
    emit(ctx, text, {"entry": to_builtins(entry)})


def finish_deposit_key(home: Home, trust: TrustList, name: str, now: int) -> None:
    """Let the old key for deposits go: what a wallet sealed to it and has yet to deliver opens no more.

    1. a rotation is under way; 2. the list in force names the new key, 3. for long enough.
    Raises `Rejected`: `no_rotation`, `not_listed`, `too_soon`.
    """
    keys = deposit_keys(home)
    if keys.next() is None:  # 1.
        raise Rejected("no_rotation", "no rotation of this key is under way", status=409)
    if trust.witness(name).deposit_key != newest_deposit_key(home):  # 2.
        raise Rejected("not_listed", "give entry.json to the registrar first: the new key is not listed yet")
    if now < trust.iat + LISTED_SECONDS:  # 3.
        raise Rejected("too_soon", f"wait until the list has been in force for {LISTED_SECONDS} seconds")
    keys.finish()
