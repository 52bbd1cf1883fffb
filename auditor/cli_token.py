"""`regie auditor token`: keep the token that opens the openings, so that every check of this home has it."""

import click

from auditor.config import read_config
from auditor.watch import MAX_TOKEN_CHARS, TOKEN, kept_token, read_token
from service.command import command, emit, read_input
from service.home import Home


@click.command("token")
@click.argument("file", required=False)
@click.option("--forget", is_flag=True, help="Remove it again.")
@command
def token(ctx: click.Context, home: Home, file: str | None, forget: bool) -> None:
    """Keep the auditor's token of FILE (- for stdin), as `regie log auditor-token` prints it."""
    read_config(home)
    if forget == (file is not None):
        raise click.UsageError("give FILE, or --forget")
    if file is None:
        home.remove(TOKEN)
        emit(ctx, "The token is gone from this home.", {"kept": False})
        return
    home.write_secret(TOKEN, read_token(read_input(file, max_bytes=MAX_TOKEN_CHARS)).encode("ascii"))
    emit(ctx, "Kept. Every check of this home looks at the openings from now on.", {"kept": True})


def token_from(home: Home, file: str | None) -> str | None:
    """The token in `file`, else the kept one; None for neither."""
    return kept_token(home) if file is None else read_token(read_input(file, max_bytes=MAX_TOKEN_CHARS))
