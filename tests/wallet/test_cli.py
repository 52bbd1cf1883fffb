"""The command line: one JSON object a command, plain words, exit codes, and no question without a terminal."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from protocol.revocation_code import parse_code
from service.command import root
from tests.protocol import builders
from tests.protocol.builders import AGENCY_ID, DAY, NOW
from tests.wallet.conftest import PASSPHRASE, Resident
from tests.wallet.neighbours import AGENCY_HOST, COSIGNER_HOST, LOG_HOST, TX_CODE, Neighbours
from wallet import cli_after, cli_give, cli_open, opened
from wallet.errand_grant import grant
from wallet.records import Choice

Run = Callable[..., Result]


@pytest.fixture
def run(neighbours: Neighbours, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """`regie wallet ...` in the home `tmp_path/wallet`, with the neighbours behind its fetcher."""

    def around(home: Any) -> opened.Surroundings:
        return opened.surroundings(home, fetcher=neighbours, clock=neighbours.clock)

    monkeypatch.setattr(cli_open, "surroundings", around)
    monkeypatch.setattr(cli_after, "surroundings", around)
    passphrase = tmp_path / "passphrase"
    passphrase.write_bytes(PASSPHRASE + b"\n")
    monkeypatch.setenv("REGIE_PASSPHRASE_FILE", str(passphrase))
    monkeypatch.setenv("REGIE_HOME", str(tmp_path / "wallet"))

    def run_command(*arguments: str, expect: int = 0, stdin: str = "") -> Result:
        result = CliRunner().invoke(root, ["wallet", *arguments], input=stdin)
        assert result.exit_code == expect, result.output
        return result

    umask = os.umask(0o077)
    yield run_command
    os.umask(umask)


def answer(result: Result) -> dict[str, Any]:
    """The one JSON object on stdout."""
    (line,) = result.stdout.strip().split("\n")
    found = json.loads(line)
    assert isinstance(found, dict)
    return found


@pytest.fixture
def trusting(tmp_path: Path, neighbours: Neighbours) -> tuple[str, ...]:
    """Options of `init`."""
    made = Resident(tmp_path, neighbours)
    registrar = tmp_path / "registrar.json"
    registrar.write_text(json.dumps(builders.REGISTRAR.public.jwk()))
    return ("--trust-list", str(made.trust_path), "--registrar", str(registrar), "--profile", "small")


def test_whole_life_of_a_wallet(
    run: Run, neighbours: Neighbours, trusting: tuple[str, ...], tmp_path: Path
) -> None:
    assert answer(run("init", *trusting, "--json")) == {"home": str(tmp_path / "wallet")}
    offer = neighbours.issuer.link()
    received = answer(run("receive", offer, "--tx-code", TX_CODE, "--json"))["received"]
    assert [card["card"] for card in received] == ["persoon", "adres", "gezin"]
    cards = answer(run("cards", "--json"))["cards"]
    assert {card["card"]: card["unspent"] for card in cards} == {"persoon": 4, "adres": 4, "gezin": 4}
    link = neighbours.agency.ask()
    shown = answer(run("inspect", link, "--json"))
    assert (shown["kind"], shown["agency"]["id"], shown["over_asking"]) == ("standing", AGENCY_ID, [])
    narrow = ("--max-reads", "3", "--days", "1-5", "--hours", "8-18", "--zone", "office")
    given = answer(run("grant", link, "--without", "huisnummer", *narrow, "--json"))
    assert given["id"] == "1"
    assert given["context"] == {"days": [1, 2, 3, 4, 5], "hours": [8, 18], "zone": "office"}
    assert {"slot", "index", "code", "qr"} <= set(given)
    assert len(parse_code(given["code"])) == 16
    neighbours.log.read(given["slot"], "postcode")
    events = answer(run("history", "1", "--json"))["events"]
    assert [(event["kind"], event["verified"]) for event in events] == [("grant", True), ("read", True)]
    assert "adres.postcode" in events[1]["attributes"]
    (listed,) = answer(run("grants", "--json"))["grants"]
    assert (listed["state"], listed["max_reads"], listed["reads_seen"]) == ("active", 3, 1)
    stopped = answer(run("revoke", "1", "--json"))
    assert stopped["state"] == "confirmed"
    assert answer(run("grants", "--json"))["grants"][0]["state"] == "stopped"
    assert answer(run("sync", "--json"))["problems"] == []


def test_words_of_a_life_are_plain(
    run: Run, neighbours: Neighbours, trusting: tuple[str, ...], tmp_path: Path
) -> None:
    assert "Nobody can recover your passphrase" in run("init", *trusting).stdout
    assert "You have no cards yet" in run("cards").stdout
    assert "You have not given anybody standing access" in run("grants").stdout
    assert "Nothing has happened yet" in run("history").stdout
    assert "20 copies" not in run("receive", neighbours.issuer.link(), "--tx-code", TX_CODE).stdout
    assert "1234AB" not in run("cards").stdout
    assert "1234AB" in run("cards", "--values").stdout
    link = neighbours.agency.ask(max_reads=4)
    text = run("inspect", link).stdout
    for words in (
        "Gemeente Voorbeeld",
        "Parking permit",
        "your consent",
        "Postal code",
        "needed",
        "4 times at most",
    ):
        assert words in text
    text = run("grant", link).stdout
    for words in ("Stop it with: regie wallet revoke 1", "Keep this code on paper", "Go on at: https://"):
        assert words in text
    neighbours.log.read(neighbours.log.grants[0].slot, "postcode")
    neighbours.log.read(neighbours.log.grants[0].slot, "postcode", reason="out_of_context")
    text = run("history").stdout
    assert "looked at adres.postcode" in text
    assert "was refused (out_of_context)" in text
    assert "Stopped. The log has it" in run("revoke", "1").stdout
    assert "Everything is up to date" in run("sync").stdout
    assert "They must answer by 22 December 2026" in run("erase", "1").stdout
    assert "erasure asked" in run("history", "1").stdout


def test_sharing_once_and_saying_no(run: Run, neighbours: Neighbours, trusting: tuple[str, ...]) -> None:
    run("init", *trusting)
    run("receive", "-", "--tx-code", "-", stdin=f"{neighbours.issuer.link()}\n{TX_CODE}\n")
    query = neighbours.agency.copy_query("postcode")
    shared = answer(run("present", neighbours.agency.ask(once=True, query=query), "--json"))
    assert shared["attributes"] == ["adres.postcode"]
    assert "cannot be taken back" in shared["warning"]
    assert "cannot be taken back" in run("inspect", neighbours.agency.ask(once=True, query=query)).stdout
    assert answer(run("decline", neighbours.agency.ask(), "--json"))["declined"] is True
    kinds = [item["kind"] for item in answer(run("history", "--json"))["activities"]]
    assert kinds == ["shared", "declined"]
    assert "you gave Gemeente Voorbeeld a copy of adres.postcode" in run("history").stdout


@pytest.fixture
def given(run: Run, neighbours: Neighbours, holder: Resident) -> str:
    """Code of a grant in the home that `run` uses."""
    code: str = answer(run("grant", neighbours.agency.ask(), "--json"))["code"]
    return code


def test_refusals_have_exit_code_1_and_their_code(run: Run, holder: Resident, neighbours: Neighbours) -> None:
    result = run("grant", neighbours.agency.ask(), "--without", "postcode", "--json", expect=1)
    assert answer(result)["error"]["code"] == "needed_missing"
    assert "(needed_missing)" in result.stderr
    claim = neighbours.agency.element("1").claims[0]
    claims = [claim, type(claim)("adres", ["straat"], False)]
    link = neighbours.agency.ask(claims=claims)
    assert "adres.straat" in run("grant", link, expect=1).stderr
    shown = run("inspect", link).stdout
    assert "it asks for more than it registered: adres.straat" in shown
    assert "NOT REGISTERED" in shown


def test_unreachable_peers_have_exit_code_3(run: Run, holder: Resident, neighbours: Neighbours) -> None:
    neighbours.down = {LOG_HOST}
    result = run("grant", neighbours.agency.ask(), "--json", expect=3)
    assert "regie wallet sync" in answer(result)["error"]["detail"]
    neighbours.down = {AGENCY_HOST}
    run("inspect", neighbours.agency.ask(), expect=3)
    neighbours.down = set()
    assert answer(run("sync", "--json"))["finished"] == ["1"]


def test_stop_without_a_network_is_no_error(run: Run, given: str, neighbours: Neighbours) -> None:
    neighbours.down = {LOG_HOST, COSIGNER_HOST}
    assert answer(run("revoke", "1", "--json"))["state"] == "not yet confirmed"
    assert "not yet confirmed" in run("revoke", "1").stdout
    assert answer(run("grants", "--json"))["grants"][0]["state"] == "stopping"
    waiting = answer(run("sync", "--json", expect=3))
    assert waiting["waiting"] == ["stop 1"]
    neighbours.down = set()
    run("history")  # the next errand that goes out delivers it
    assert answer(run("grants", "--json"))["grants"][0]["state"] == "stopped"


def test_paper_code_needs_no_passphrase(
    run: Run, given: str, neighbours: Neighbours, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REGIE_PASSPHRASE_FILE")
    stopped = answer(run("revoke", "--code", "-", "--json", stdin=given + "\n"))
    assert (stopped["state"], stopped["at_log"]) == ("confirmed", True)
    assert "Stopped, and confirmed" in run("revoke", "--code", given).stdout
    assert "(bad_code)" in run("revoke", "--code", given[:-1] + "x", expect=1).stderr


def test_qr_of_the_paper_is_taken_too(run: Run, holder: Resident, neighbours: Neighbours) -> None:
    qr = answer(run("grant", neighbours.agency.ask(), "--json"))["qr"]
    assert answer(run("revoke", "--code", qr, "--json"))["state"] == "confirmed"


def test_paper_code_without_a_network_waits(run: Run, given: str, neighbours: Neighbours) -> None:
    neighbours.down = {LOG_HOST, COSIGNER_HOST}
    result = run("revoke", "--code", "-", "--json", stdin=given + "\n")
    assert answer(result) == {"state": "not yet confirmed", "at_log": False, "cosigners": []}
    neighbours.down = set()
    assert answer(run("sync", "--json"))["delivered"] == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("revoke",),
        ("revoke", "1", "--code", "1234"),
        ("grant", "link", "--until", "tomorrow"),
        ("grant", "link", "--days", "5-1"),
        ("grant", "link", "--days", "0"),
        ("grant", "link", "--hours", "18-8"),
        ("grant", "link", "--hours", "8"),
        ("grant", "link", "--zone", "moon"),
        ("init",),
        ("grant",),
    ],
)
def test_wrong_use_has_exit_code_2(run: Run, holder: Resident, arguments: tuple[str, ...]) -> None:
    run(*arguments, expect=2)


def test_nothing_is_asked_without_a_terminal(run: Run, holder: Resident, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REGIE_PASSPHRASE_FILE")
    assert "--passphrase-file" in run("cards", expect=2).stderr


def test_wrong_passphrase_is_told_so(run: Run, holder: Resident, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("niet deze zin\n")
    result = run("cards", "--passphrase-file", str(wrong), expect=1)
    assert "(wrong_passphrase)" in result.stderr
    assert "niet deze zin" not in result.output


def test_passphrase_is_the_first_line_in_one_unicode_form(tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.write_bytes("cafe\u0301 cafe\u0301\r\nsecond line".encode())
    assert cli_open.read_passphrase(str(file)) == "café café".encode()
    with pytest.raises(click.UsageError):
        cli_open.read_passphrase(str(tmp_path / "absent"))


def test_resident_on_a_terminal_is_asked_first(
    run: Run, holder: Resident, neighbours: Neighbours, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli_give, "_is_terminal", lambda: True)
    result = run("grant", neighbours.agency.ask(), expect=1, stdin="n\n")
    assert "Gemeente Voorbeeld (OIN" in result.stderr
    assert neighbours.log.grants == []
    run("grant", neighbours.agency.ask(), stdin="y\n")
    run("grant", neighbours.agency.ask(), "--yes")
    assert len(neighbours.log.grants) == 2


def test_profile_proposes_a_last_day_on_a_terminal_and_to_no_script(
    run: Run, holder: Resident, neighbours: Neighbours, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("profile", "veiligheid")  # thirty days
    run("grant", neighbours.agency.ask())
    monkeypatch.setattr(cli_give, "_is_terminal", lambda: True)
    asked = run("grant", neighbours.agency.ask(), stdin="\ny\n")
    assert "Your profile proposes" in asked.stderr
    run("grant", neighbours.agency.ask(), stdin="n\ny\n")
    terms = [given.terms for given in neighbours.log.grants]
    assert terms[1].not_after < terms[0].not_after == terms[2].not_after
    result = run("grant", neighbours.agency.ask(), expect=1, stdin="\nn\n")
    assert "Aborted" in result.stderr
    assert len(neighbours.log.grants) == 3, "a last day is no yes"


def test_older_wallet_file_has_to_be_accepted(run: Run, holder: Resident, neighbours: Neighbours) -> None:
    path = holder.home.file("wallet.db")
    old = path.read_bytes()
    run("grant", neighbours.agency.ask())
    path.write_bytes(old)
    assert "(vault_rolled_back)" in run("cards", expect=1).stderr
    run("sync", "--accept-older")
    assert answer(run("grants", "--json"))["grants"] == []


def test_backup_and_restore(
    run: Run, given: str, neighbours: Neighbours, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "backup"
    made = answer(run("backup", str(file), "--profile", "small", "--json"))
    assert (made["file"], made["verified"], made["bytes"]) == (str(file), True, file.stat().st_size)
    assert "(exists)" in run("backup", str(file), expect=1).stderr
    monkeypatch.setenv("REGIE_HOME", str(tmp_path / "new"))
    back = answer(run("restore", str(file), "--profile", "small", "--json"))
    assert (back["made_at"], back["synced"]) == (NOW, True)
    assert len(answer(run("grants", "--json"))["grants"]) == 1
    monkeypatch.setenv("REGIE_HOME", str(tmp_path / "newer"))
    assert "get new cards before you give the next one" in run("restore", str(file), "--profile", "small").stdout
    monkeypatch.setenv("REGIE_HOME", str(tmp_path / "newest"))
    neighbours.down = {LOG_HOST}
    told = run("restore", str(file), "--profile", "small").stdout
    assert "Until the log was searched" in told
    assert "get new cards before you give the next one" in told
    assert "(sync_first)" in run("grant", neighbours.agency.ask(), expect=1).stderr
    neighbours.down = set()
    run("sync")
    run("grant", neighbours.second.ask())
    assert "(not_empty)" in run("restore", str(file), expect=1).stderr


def test_erasure_waits_until_everybody_has_it(run: Run, given: str, neighbours: Neighbours) -> None:
    neighbours.down = {AGENCY_HOST}
    asked = answer(run("erase", "1", "--json"))
    assert (asked["state"], asked["at_log"], asked["at_agency"]) == ("queued", True, False)
    assert asked["due"] == NOW + 30 * DAY
    assert answer(run("sync", "--json", expect=3))["waiting"] == ["message"]
    neighbours.down = set()
    run("sync")
    assert len(neighbours.agency.messages) == 1
    assert neighbours.log.grants[0].events[-1][1].name == "MESSAGE"


def test_files_of_the_home_are_for_the_resident_alone(run: Run, given: str, holder: Resident) -> None:
    for file in holder.home.path.iterdir():
        if file.name not in ("config.json",) and "trust" not in file.name:
            assert file.stat().st_mode & 0o077 == 0, file.name


def test_no_value_of_a_card_is_ever_printed_but_on_request(
    run: Run, holder: Resident, neighbours: Neighbours, tmp_path: Path
) -> None:
    link = neighbours.agency.ask()
    texts = [
        run("inspect", link),
        run("grant", link),
        run("grants"),
        run("history"),
        run("cards"),
        run("revoke", "1"),
    ]
    texts += [run("grant", link, expect=1), run("sync"), run("backup", str(tmp_path / "b"), "--profile", "small")]
    for result in texts:
        for value in ("1234AB", "Dorpsstraat", "999990019", "Jiska"):
            assert value not in result.output


def test_urls_hold_no_personal_data(holder: Resident, neighbours: Neighbours) -> None:
    with holder.open() as wallet:
        grant(wallet, neighbours.agency.ask(), Choice())
    for _, url in neighbours.calls:
        assert "?" not in url
        for value in ("1234AB", "Dorpsstraat", "999990019", "Jiska"):
            assert value not in url


def test_remove_takes_the_wallet_away_and_says_what_goes_on(
    run: Run, holder: Resident, neighbours: Neighbours
) -> None:
    run("grant", neighbours.agency.ask())
    run("remove", expect=2)
    assert holder.home.has("wallet.db")
    assert json.loads(run("remove", "--yes", "--json").output)["running"] == ["1"]
    assert not holder.home.has("wallet.db")
    assert not holder.home.has("config.json")
    run("cards", expect=1)
