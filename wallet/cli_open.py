"""Opening the wallet for a command: the passphrase, from a file or a terminal, and the vault behind it."""

import os
import sys
from collections.abc import Callable
from functools import update_wrapper
from typing import Any, Concatenate, TypeVar

import click

from protocol.passphrase import PROFILES, passphrase_of
from service.command import command, read_input, read_secret
from service.home import Home
from wallet.opened import OpenWallet, open_wallet, surroundings

F = TypeVar("F", bound=Callable[..., Any])
PASSPHRASE_VARIABLE = "REGIE_PASSPHRASE_FILE"  # noqa: S105 - the name of the variable
PROFILE = click.Choice(list(PROFILES))


def read_passphrase(path: str | None, *, new: bool = False) -> bytes:
    """From the file of --passphrase-file or REGIE_PASSPHRASE_FILE (its first line), or asked on a terminal.

    Raises `click.UsageError`.
    """
    source = path or os.environ.get(PASSPHRASE_VARIABLE)
    if source:
        text = read_input(source, max_bytes=64 * 1024).decode("utf-8", "replace").split("\n", 1)[0].rstrip("\r")
    elif sys.stdin.isatty():
        text = click.prompt("Passphrase", hide_input=True, confirmation_prompt=new, err=True)
    else:
        raise click.UsageError(f"say --passphrase-file FILE or {PASSPHRASE_VARIABLE}")
    return passphrase_of(text)


def passphrase_option(function: F) -> F:
    """--passphrase-file FILE."""
    return click.option(
        "--passphrase-file", metavar="FILE", help=f"Holds the passphrase (else {PASSPHRASE_VARIABLE}, else asked)."
    )(function)


def with_wallet(
    function: Callable[Concatenate[click.Context, OpenWallet, ...], None],
) -> Callable[..., None]:
    """`command` for what needs the vault: calls `function(ctx, wallet, **options)`."""

    def opened(ctx: click.Context, home: Home, /, **options: Any) -> None:
        passphrase = read_passphrase(options.pop("passphrase_file"))
        with open_wallet(surroundings(home), passphrase) as wallet:
            function(ctx, wallet, **options)

    update_wrapper(opened, function)
    return passphrase_option(command(opened))


def read_link(value: str) -> str:
    """A link, or - for stdin: an offer's link holds a secret code."""
    return read_secret(value, name="link")
