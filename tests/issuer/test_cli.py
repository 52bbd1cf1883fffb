"""`regie issuer`: the desk on the command line, in one process."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from protocol.canonical import convert
from protocol.openid4vci import parse_offer_link
from protocol.trust_list import TrustedIssuer
from service.command import root
from service.home import Home
from tests.issuer.desk import NOOR, PERSONS, offer_of_link

URL = "http://localhost:18000"


class Shell:
    """Runs `regie issuer ... --json` in one home."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def run(self, *arguments: str, stdin: str = "") -> Result:
        named = 2 if arguments[0] == "mandate" else 1
        line = ["issuer", *arguments[:named], "--home", str(self.home), "--json", *arguments[named:]]
        return CliRunner().invoke(root, line, input=stdin)

    def answer(self, *arguments: str, stdin: str = "") -> Any:
        result = self.run(*arguments, stdin=stdin)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def refusal(self, *arguments: str, stdin: str = "") -> str:
        result = self.run(*arguments, stdin=stdin)
        assert result.exit_code == 1, result.output
        return str(json.loads(result.stdout)["error"]["code"])


def test_nobody_is_offered_cards_of_who_has_died(tmp_path: Path) -> None:
    shell = Shell(tmp_path / "issuer")
    shell.answer("init", "--url", URL, "--name", "Gemeente Lindehaven")
    shell.answer("import", str(PERSONS))
    dead = next(one["burgerservicenummer"] for one in map(json.loads, PERSONS.open()) if "overlijden" in one)
    assert shell.refusal("offer", "--bsn", "-", stdin=dead) == "deceased"
    assert shell.answer("issued", "--bsn", "-", stdin=dead) == {"issued": []}
    assert shell.answer("offer", "--bsn", "-", "--although-deceased", stdin=dead)["tx_code"]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A home that was initialised and has our persons."""
    made = Shell(tmp_path / "issuer")
    made.answer("init", "--url", URL, "--name", "Gemeente Lindehaven")
    assert made.answer("import", str(PERSONS)) == {
        "imported": 14,
        "refused": 0,
        "refusals": [],
        "superseded": 0,
        "revoked": 0,
    }
    return made


def test_init_prints_the_entry_for_the_trust_list(tmp_path: Path) -> None:
    shell = Shell(tmp_path / "issuer")
    answer = shell.answer("init", "--url", URL, "--name", "Gemeente Lindehaven", "--loa", "high")
    assert set(answer) == {"entry"}
    entry = convert(answer["entry"], TrustedIssuer)
    assert (entry.id, entry.name) == (URL, "Gemeente Lindehaven")
    assert entry.vcts == [f"urn:regie:nl:{name}:1" for name in ("persoon", "adres", "gezin", "gezag")]
    assert len(entry.root_certificates) == 1
    assert json.loads((shell.home / "entry.json").read_text()) == answer["entry"]
    config = json.loads((shell.home / "config.json").read_text())
    assert (config["role"], config["url"], config["loa"]) == ("issuer", URL, "high")


def test_secrets_are_closed_to_others(shell: Shell) -> None:
    assert stat.S_IMODE(shell.home.stat().st_mode) == 0o700
    for name in ("root-key.pem", "signing-key.pem", "codes.key", "issuer.db"):
        assert stat.S_IMODE((shell.home / name).stat().st_mode) == 0o600
    (shell.home / "signing-key.pem").chmod(0o644)
    assert shell.refusal("offer", "--bsn", NOOR) == "open_secret"


def test_init_takes_the_registrar_for_later(tmp_path: Path) -> None:
    key = tmp_path / "registrar.jwk"
    key.write_text('{"kty":"EC"}')
    shell = Shell(tmp_path / "issuer")
    shell.answer("init", "--url", URL, "--name", "N", "--trust-list", "list.jwt", "--registrar", str(key))
    config = json.loads((shell.home / "config.json").read_text())
    assert (config["trust_list"], config["registrar"]) == ("list.jwt", {"kty": "EC"})


def test_init_is_done_once(shell: Shell) -> None:
    before = (shell.home / "root-key.pem").read_bytes()
    assert shell.refusal("init", "--url", URL, "--name", "Other") == "exists"
    assert (shell.home / "root-key.pem").read_bytes() == before


@pytest.mark.parametrize(
    "url",
    [
        "http://issuer.example",
        "https://issuer.example/",
        "https://issuer.example?x=1",
        "https://issuer.example//a",
        "issuer.example",
        "https://u:p@issuer.example",
        "ftp://localhost",
    ],
)
def test_init_refuses_an_url_that_is_no_issuer(tmp_path: Path, url: str) -> None:
    assert Shell(tmp_path / "issuer").refusal("init", "--url", url, "--name", "N") == "bad_url"
    assert not Home(tmp_path / "issuer").has("config.json")


@pytest.mark.parametrize("url", ["https://issuer.example", "https://issuer.example/a/b", "http://127.0.0.1:8000"])
def test_init_accepts_an_issuer_url(tmp_path: Path, url: str) -> None:
    assert Shell(tmp_path / "issuer").answer("init", "--url", url, "--name", "É" * 200)["entry"]["id"] == url


def test_commands_need_an_initialised_home(tmp_path: Path) -> None:
    for line in (["import", str(PERSONS)], ["offer", "--bsn", NOOR], ["revoke", "x", "--reason", "y"], ["serve"]):
        assert Shell(tmp_path / "nothing").refusal(*line) == "no_home"


def test_import_says_which_lines_it_refused_and_takes_the_others(shell: Shell, tmp_path: Path) -> None:
    good = PERSONS.read_text("utf-8").splitlines()[0]
    lines = [
        good,
        "",
        "{",
        '{"burgerservicenummer":"123456789"}',
        good.replace('"1987-04-12"', '"1987-13-12"'),
        good,
    ]
    lines.append('{"burgerservicenummer":"999100002","x":"' + "y" * 70_000 + '"}')
    path = tmp_path / "some.jsonl"
    path.write_text("\n".join(lines), "utf-8")
    result = shell.run("import", str(path))
    assert result.exit_code == 1
    answer = json.loads(result.stdout)
    assert (answer["imported"], answer["refusals"][:3]) == (
        2,
        [{"line": 3, "code": "bad_person"}, {"line": 4, "code": "bad_bsn"}, {"line": 5, "code": "bad_date"}],
    )
    assert answer["refused"] == len(answer["refusals"])
    assert "123456789" not in result.output
    assert "999100002" not in result.output


def test_import_reads_stdin_and_replaces_what_was_known(shell: Shell) -> None:
    line = PERSONS.read_text("utf-8").splitlines()[0].replace("Kersenlaan", "Pruimenlaan")
    assert shell.answer("import", "-", stdin=line)["imported"] == 1
    assert shell.answer("import", "-", stdin="")["imported"] == 0


def test_import_of_a_missing_file_is_wrong_use(shell: Shell) -> None:
    assert shell.run("import", "no-such-file").exit_code == 2


@pytest.mark.shared
def test_import_takes_all_persons_of_rvig(shell: Shell, shared: Path) -> None:
    answer = shell.answer("import", str(shared / "data/brp/personen.jsonl"))
    assert answer == {"imported": 715, "refused": 0, "refusals": [], "superseded": 0, "revoked": 0}


def test_offer_is_a_link_and_a_code(shell: Shell) -> None:
    answer = shell.answer("offer", "--bsn", NOOR, "--credential", "persoon", "--credential", "adres")
    assert {"offer", "tx_code"} <= set(answer)
    assert offer_of_link(answer["offer"]) == f"{URL}/offers/{answer['id']}"
    assert len(answer["tx_code"]) == 8
    assert NOOR not in answer["offer"]


def test_offer_takes_the_bsn_from_stdin_and_all_credentials_by_default(shell: Shell) -> None:
    answer = shell.answer("offer", "--bsn", "-", "--by-value", stdin=f"{NOOR}\n")
    offer = parse_offer_link(answer["offer"]).offer
    assert offer is not None
    assert offer.credential_configuration_ids == ["persoon", "adres", "gezin", "gezag"]


def test_offer_is_refused_for_whom_nobody_knows(shell: Shell) -> None:
    assert shell.refusal("offer", "--bsn", "999993653") == "unknown_person"
    assert shell.refusal("offer", "--bsn", "123456789") == "bad_bsn"
    assert shell.refusal("offer", "--bsn", NOOR, "--credential", "woz") == "unknown_credential_configuration"
    assert shell.run("offer", "--bsn", "-").exit_code == 2


def test_revoking_an_offer_that_nobody_fetched_kills_it(shell: Shell) -> None:
    offer = shell.answer("offer", "--bsn", NOOR)
    assert shell.answer("revoke", offer["id"], "--reason", "mistake") == {"copies": 0, "revoked": 0}
    assert shell.refusal("revoke", "unknown", "--reason", "mistake") == "unknown_id"
    assert shell.run("revoke", offer["id"], "--reason", "").exit_code == 2
    assert shell.run("revoke", offer["id"], "--reason", "r" * 200).exit_code == 0
    assert shell.run("revoke", offer["id"], "--reason", "r" * 201).exit_code == 2


def test_offer_replaces_only_what_was_issued_to_this_resident(shell: Shell) -> None:
    offer = shell.answer("offer", "--bsn", NOOR)
    assert shell.refusal("offer", "--bsn", NOOR, "--replaces", offer["id"]) == "unknown_id"


def test_nothing_issued_is_an_empty_list(shell: Shell) -> None:
    assert shell.answer("issued", "--bsn", NOOR) == {"issued": []}


def test_people_are_answered_in_words(shell: Shell) -> None:
    for line in (["offer", "--bsn", NOOR], ["issued", "--bsn", NOOR]):
        result = CliRunner().invoke(root, ["issuer", line[0], "--home", str(shell.home), *line[1:]])
        assert result.exit_code == 0
        assert not result.output.startswith("{")
