"""What the operator's documents and units name exists, and what exists is named."""

import configparser
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest

from auditor.config import Config
from consentlog.config import LogConfig, WitnessConfig
from issuer.config import IssuerConfig, LoginConfig
from registrar.config import RegistrarConfig
from service.command import root
from service.staff import StaffConfig
from verifier.config import VerifierConfig
from wallet.config import WalletConfig
from wallet.counter_config import CounterConfig

ROOT = Path(__file__).resolve().parent.parent
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text()
OPERATING = (ROOT / "docs" / "operating.md").read_text()
ROOMS = ("protocol", "service", "issuer", "wallet", "verifier", "consentlog", "auditor", "registrar")
UNITS = sorted((ROOT / "deploy").glob("*.service"))
SERVING = (
    "log serve",
    "log witness serve",
    "auditor cosign",
    "verifier serve",
    "issuer serve",
    "registrar serve",
    "wallet counter serve",
)
LOCAL = ("wallet serve", "wallet open", "auditor serve")
FOLLOWING = "auditor follow"
HARDENED = {
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "RestrictSUIDSGID": "yes",
    "Restart": "on-failure",
    "KillMode": "mixed",
    "UMask": "0077",
    "StateDirectoryMode": "0700",
    "CapabilityBoundingSet": "",
}


def section(heading: str) -> str:
    """The text under a heading, up to the next one."""
    found = re.search(rf"^## [^\n]*{re.escape(heading)}[^\n]*\n(.*?)(?=^## |\Z)", CONFIGURATION, re.M | re.S)
    assert found, heading
    return found[1]


def rows(text: str, column: int = 0) -> list[str]:
    """The names in a column of the tables."""
    cells = [line.split("|")[1 + column].strip() for line in text.splitlines() if line.startswith("|")]
    return [cell.strip("`") for cell in cells if cell.startswith("`")]


@pytest.mark.parametrize(
    "kind",
    [
        *(LogConfig, WitnessConfig, Config, IssuerConfig, LoginConfig, StaffConfig),
        *(VerifierConfig, WalletConfig, CounterConfig, RegistrarConfig),
    ],
    ids=lambda kind: kind.__name__,
)
def test_every_setting_of_a_role_is_documented(kind: Any) -> None:
    text = section(f"(`{kind.__name__}`)")
    fields = msgspec.structs.fields(kind)
    assert rows(text) == [field.name for field in fields]
    for line in text.splitlines():
        name = line.split("|")[1].strip(" `") if line.startswith("| `") else ""
        for field in fields:
            if field.name == name:
                is_optional = not field.required
                assert bool(line.split("|")[2].strip()) == is_optional, f"{kind.__name__}.{name}"


def test_every_variable_of_the_environment_is_documented() -> None:
    sources = "".join(path.read_text() for room in ROOMS for path in (ROOT / room).glob("*.py"))
    named = set(re.findall(r'"(REGIE_[A-Z_]+|DATABASE_URL)"', sources))
    assert set(rows(section("Environment"))) == named


def command_of(words: str) -> click.Command:
    command: click.Command = root
    for word in words.split():
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), word)
        assert found is not None, words
        command = found
    return command


@pytest.mark.parametrize(
    ("heading", "commands"), [("`regie ... serve`", SERVING), ("Faces on one's own machine", LOCAL)]
)
def test_every_option_of_serving_is_documented(heading: str, commands: tuple[str, ...]) -> None:
    lines = [line.split("|") for line in section(heading).splitlines() if line.startswith("|")]
    told: dict[str, list[str]] = {}
    command = ""
    for _, name, option, *_ in lines[2:]:
        command = name.strip(" `") or command
        told.setdefault(command, []).append(option.strip(" `"))
    assert list(told) == list(commands)
    for words, options in told.items():
        known = [
            opt for param in command_of(words).params for opt in param.opts if opt not in ("--home", "--json")
        ]
        assert sorted(options) == sorted(known), words


# Units.


def unit(path: Path) -> configparser.ConfigParser:
    """A systemd unit; a setting that is given twice counts once here."""
    parser = configparser.ConfigParser(
        strict=False, interpolation=None, delimiters=("=",), comment_prefixes=("#",)
    )
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(path.read_text())
    return parser


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_unit_starts_a_command_that_exists(path: Path) -> None:
    words = shlex.split(unit(path)["Service"]["ExecStart"])
    assert words[0] == "/usr/bin/regie"
    context, left = click.Context(root), words[1:]
    command: click.Command = root
    while isinstance(command, click.Group):
        found = command.get_command(context, left.pop(0))
        assert found is not None, words
        command = found
    with command.make_context(command.name, left) as parsed:
        assert parsed.params is not None  # the options parse; nothing runs


def test_every_server_has_a_unit_and_so_has_who_follows_a_log() -> None:
    started = {" ".join(shlex.split(unit(path)["Service"]["ExecStart"])[1:-2]) for path in UNITS}
    assert started == {*SERVING, FOLLOWING}


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_unit_is_hardened_and_stops_gracefully(path: Path) -> None:
    service = unit(path)["Service"]
    for name, value in HARDENED.items():
        assert service[name] == value, name
    users = (ROOT / "deploy" / "sysusers.conf").read_text()
    assert f"u {service['User']} " in users
    assert service["User"] == service["StateDirectory"] == path.stem
    assert f"--home %S/{path.stem}" in service["ExecStart"]
    assert int(service["LimitNOFILE"]) >= 8192 + 512
    assert int(service["TimeoutStopSec"]) >= 20
    assert set(service["RestartPreventExitStatus"].split()) == {"1", "2"}


def test_units_are_what_systemd_takes_where_it_is_installed() -> None:
    """In addition: the tests above stand without systemd."""
    analyze = shutil.which("systemd-analyze")
    for path in UNITS if analyze else []:
        done = subprocess.run([str(analyze), "verify", str(path)], capture_output=True, text=True, check=False)
        complaints = [
            line for line in done.stderr.splitlines() if path.name in line and "not executable" not in line
        ]
        assert complaints == []


# docs/operating.md.


def test_every_command_that_the_operating_manual_names_exists() -> None:
    named = re.findall(r"`regie ((?:[a-z-]+ )*[a-z-]+)", OPERATING)
    assert len(named) > 10
    for words in named:
        command: click.Command = root
        for word in words.split():
            if not isinstance(command, click.Group):
                break
            found = command.get_command(click.Context(command), word)
            assert found is not None, words
            command = found


def test_links_of_the_manuals_lead_somewhere() -> None:
    for text in (OPERATING, CONFIGURATION):
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
            assert (ROOT / "docs" / target).exists(), target


def test_manual_says_what_to_do_at_every_stop_of_a_log() -> None:
    for code in (
        "lock_moved",
        "forked",
        "restored_backup",
        "no_quorum",
        "lock_missing",
        "corrupt_store",
        "newer_schema",
    ):
        assert f"`{code}`" in OPERATING, code
