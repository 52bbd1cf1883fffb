"""The `regie` command line: lazily loaded groups, one shape of output, one mapping of errors to exit codes.

A role's `cli.py` offers a click group named `group`; its commands look like this:

    @click.group()
    def group() -> None:
        "What the role does."

    @group.command("grants")
    @click.option("--state")
    @command
    def grants(ctx: click.Context, home: Home, state: str | None) -> None:
        "List the grants."
        emit(ctx, "No grants yet.", {"grants": []})

`@command` adds `--home DIR` (also right after the group; else REGIE_HOME) and `--json`, and turns errors into exit
codes: 0 done, 1 refused (`Rejected`), 2 wrong use, 3 not reachable (`Unavailable`, OSError). Only click and
protocol.errors are imported here, so that `regie --help` stays quick; roles import what is theirs in their cli.py.
"""

import functools
import importlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import click

from protocol.errors import RegieError, Rejected, Unavailable

if TYPE_CHECKING:
    from service.home import Home
    from service.tls import Tls

P = ParamSpec("P")
F = TypeVar("F", bound=Callable[..., Any])

GROUPS: Mapping[str, tuple[str, str]] = {
    "issuer": ("issuer.cli:group", "Sign attributes of a base register."),
    "wallet": ("wallet.cli:group", "Hold attributes, grant, look back and stop."),
    "verifier": ("verifier.cli:group", "Ask for attributes, check and read them."),
    "log": ("consentlog.cli:group", "Run the consent log or a witness."),
    "auditor": ("auditor.cli:group", "Check the whole log, cosign and report."),
    "registrar": ("registrar.cli:group", "Sign the list of who may issue, ask and log."),
    "tls": ("service.cli_tls:group", "Make certificates for TLS on your own machine."),
}
EXIT_REFUSED = 1
EXIT_UNAVAILABLE = 3
MAX_INPUT_BYTES = 16 * 1024 * 1024
"""Of a file or stdin that a command reads whole."""
_HOME = "regie.home"
_JSON = "regie.json"
_TLS_CERT, _TLS_KEY = "regie.tls_cert", "regie.tls_key"


class LazyGroup(click.Group):
    """A group whose subcommands are imported when called; the help lines come from the table."""

    def __init__(self, *args: Any, table: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the table, in its order."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the group that the table names."""
        if cmd_name not in self.table:
            return None
        module, _, name = self.table[cmd_name][0].partition(":")
        found = getattr(importlib.import_module(module), name)
        if not isinstance(found, click.Command):
            raise TypeError(f"{module}:{name} is not a click command")
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self.table.items()])


def _print_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        click.echo(importlib.import_module("protocol").__version__)
        ctx.exit()


@click.group(cls=LazyGroup, table=GROUPS)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version)
def root() -> None:
    """Regie: your data, your consent, and a log that everybody can check."""


def _keep(key: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    """An option's value goes into the context, where the group's and the command's option meet."""

    def callback(ctx: click.Context, param: click.Parameter, value: Any) -> None:
        if value not in (None, False):
            ctx.meta[key] = value

    return callback


def home_option(function: F) -> F:
    """`--home DIR` for a command or a group; read it with `home_of`."""
    return click.option(
        "--home",
        type=click.Path(file_okay=False, path_type=Path),
        expose_value=False,
        callback=_keep(_HOME),
        help="Directory of this role (else REGIE_HOME).",
    )(function)


def json_option(function: F) -> F:
    """`--json` for a command; `emit` looks at it."""
    return click.option(
        "--json", is_flag=True, expose_value=False, callback=_keep(_JSON), help="Print one JSON object."
    )(function)


def tls_options(function: F) -> F:
    """`--tls-cert FILE --tls-key FILE` for a command that serves; read them with `tls_of`."""
    options = (("--tls-key", _TLS_KEY, "Its private key (PEM)."), ("--tls-cert", _TLS_CERT, "Serve TLS (PEM)."))
    for name, key, text in options:
        path = click.Path(dir_okay=False, path_type=Path)
        function = click.option(name, type=path, expose_value=False, callback=_keep(key), help=text)(function)
    return function


def tls_of(ctx: click.Context) -> "Tls | None":
    """What the options say; None for plain HTTP. Raises `Rejected`: those of `service.tls.tls_files`."""
    files = ctx.meta.get(_TLS_CERT), ctx.meta.get(_TLS_KEY)
    return importlib.import_module("service.tls").tls_files(*files)  # type: ignore[no-any-return]


def home_of(ctx: click.Context) -> "Home":
    """The home that the options or REGIE_HOME name. Raises `click.UsageError`."""
    path = ctx.meta.get(_HOME) or os.environ.get("REGIE_HOME")
    if not path:
        raise click.UsageError("say which home: --home DIR or REGIE_HOME", ctx)
    return importlib.import_module("service.home").Home(path)  # type: ignore[no-any-return]


def command(function: Callable[Concatenate[click.Context, "Home", P], None]) -> Callable[P, None]:
    """Options `--home` and `--json`, errors to exit codes; calls `function(ctx, home, **options)`."""

    @home_option
    @json_option
    @click.pass_context
    @functools.wraps(function)
    def wrapped(ctx: click.Context, /, *args: P.args, **kwargs: P.kwargs) -> None:
        with exit_codes(ctx):
            _check_text(kwargs)
            function(ctx, home_of(ctx), *args, **kwargs)

    return wrapped


def command_without_home(function: Callable[Concatenate[click.Context, P], None]) -> Callable[P, None]:
    """Like `command`, for what needs no home: calls `function(ctx, **options)`; `home_of(ctx)` still works."""

    @home_option
    @json_option
    @click.pass_context
    @functools.wraps(function)
    def wrapped(ctx: click.Context, /, *args: P.args, **kwargs: P.kwargs) -> None:
        with exit_codes(ctx):
            _check_text(kwargs)
            function(ctx, *args, **kwargs)

    return wrapped


def _check_text(options: Mapping[str, Any]) -> None:
    """Bytes of an argument that are no UTF-8 come as surrogates, which nothing here can hash or keep."""
    for value in options.values():
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str) and not text.isascii():
                try:
                    text.encode()
                except UnicodeEncodeError as error:
                    raise click.UsageError("an argument is not UTF-8 text") from error


def wants_json(ctx: click.Context) -> bool:
    """Whether `--json` was given."""
    return bool(ctx.meta.get(_JSON))


def emit(ctx: click.Context, human: str, data: Mapping[str, Any]) -> None:
    """Print `data` as one JSON object on one line under `--json`, else `human`. `data` is plain JSON."""
    click.echo(json.dumps(data) if wants_json(ctx) else human)


def progress(ctx: click.Context, text: str) -> None:
    """A line about long work, on stderr, so that stdout stays one answer. Silent under `--json`."""
    if not wants_json(ctx):
        click.echo(text, err=True)


def read_secret(value: str, *, name: str) -> str:
    """`value`, or a line of stdin when it is `-`: secrets and BSNs need not stand in the process list.

    Several `-` read one line each, in the order of the calls. Raises `click.UsageError` on an empty line.
    """
    if value != "-":
        return value
    try:
        line = sys.stdin.readline(64 * 1024).strip()
        line.encode()  # in a C locale stray bytes come as surrogates
    except UnicodeError as error:
        raise click.UsageError(f"the {name} on stdin is not UTF-8 text") from error
    if not line:
        raise click.UsageError(f"no {name} on stdin")
    return line


def read_input(source: str, *, max_bytes: int = MAX_INPUT_BYTES) -> bytes:
    """The bytes of the file `source`, or of stdin when it is `-`. Raises `Rejected`: `too_large`; `UsageError`."""
    try:
        if source == "-":
            data = sys.stdin.buffer.read(max_bytes + 1)
        else:
            with Path(source).open("rb") as stream:
                data = stream.read(max_bytes + 1)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise click.UsageError(f"{source}: {error.strerror}") from error
    if len(data) > max_bytes:
        raise Rejected("too_large", f"{source} is larger than {max_bytes} bytes")
    return data


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something final; `yes` answers it. Never asks when stdin is no terminal."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("not a terminal: say --yes")
    click.confirm(question, abort=True, err=True)


@contextmanager
def exit_codes(ctx: click.Context) -> Iterator[None]:
    """Turn our errors into a line on stderr and an exit code."""
    try:
        yield
    except RegieError as error:
        ctx.exit(_report(error, as_json=wants_json(ctx)))
    except BrokenPipeError:
        raise
    except OSError as error:
        place = f": {error.filename}" if error.filename else ""
        ctx.exit(
            _report(
                Unavailable("io", f"{error.strerror or 'input or output failed'}{place}"), as_json=wants_json(ctx)
            )
        )


def _report(error: RegieError, *, as_json: bool) -> int:
    refused = isinstance(error, Rejected)
    detail = " ".join(error.detail.split()) or error.code
    click.echo(f"{'refused' if refused else 'not reachable'}: {detail} ({error.code})", err=True)
    _print_error(error.code, error.detail, as_json=as_json)
    return EXIT_REFUSED if refused else EXIT_UNAVAILABLE


def _print_error(code: str, detail: str, *, as_json: bool) -> None:
    """Also an error is one JSON object on stdout, for who asked for JSON."""
    if as_json:
        click.echo(json.dumps({"error": {"code": code, "detail": detail}}))


def main() -> None:
    """The console script. Maps also what is raised while arguments are parsed, before any command runs."""
    as_json = "--json" in sys.argv
    try:
        sys.exit(root.main(prog_name="regie", standalone_mode=False))
    except RegieError as error:
        sys.exit(_report(error, as_json=as_json))
    except click.ClickException as error:
        error.show()
        _print_error("wrong_use", error.format_message(), as_json=as_json)
        sys.exit(error.exit_code)
    except click.Abort:
        click.echo("Aborted!", err=True)
        _print_error("aborted", "nothing was done", as_json=as_json)
        sys.exit(EXIT_REFUSED)
