"""`regie wallet inspect`, `present`, `decline` and `cards` towards strangers: what a resident reads and types."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from service.command import root
from service.home import Home
from tests.conformance.foreign_verifier import REDIRECT, VERIFIER, ForeignVerifier
from tests.conformance.held_cards import PASSPHRASE, Holder, fill, put, put_diplomas
from tests.protocol import strangers
from tests.protocol.builders import NOW, PERSOON
from tests.protocol.strangers import DIPLOMA
from wallet import cli_after, cli_give, cli_open, opened

Run = Callable[..., Result]
DEGREE: dict[str, Any] = {
    "credentials": [
        {"id": "d", "format": "dc+sd-jwt", "meta": {"vct_values": [DIPLOMA]}, "claims": [{"path": ["degree"]}]}
    ]
}
FIRST, LATER = "diploma", "diploma@uni.vreemd.example#2"


@pytest.fixture
def holder(tmp_path: Path) -> Holder:
    made = Holder(tmp_path)
    made.create()
    fill(made)
    made.trust_strangers(VERIFIER)
    return made


@pytest.fixture
def run(holder: Holder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    def around(home: Home) -> opened.Surroundings:
        return opened.surroundings(home, fetcher=holder.fetcher, clock=holder.clock)

    monkeypatch.setattr(cli_open, "surroundings", around)
    monkeypatch.setattr(cli_after, "surroundings", around)
    (tmp_path / "passphrase").write_bytes(PASSPHRASE)
    monkeypatch.setenv("REGIE_PASSPHRASE_FILE", str(tmp_path / "passphrase"))
    monkeypatch.setenv("REGIE_HOME", str(holder.home.path))

    def run_command(*arguments: str, expect: int = 0, stdin: str = "") -> Result:
        result = CliRunner().invoke(root, ["wallet", *arguments], input=stdin)
        assert result.exit_code == expect, result.output
        return result

    return run_command


@pytest.fixture
def shop() -> Iterator[ForeignVerifier]:
    with ForeignVerifier() as running:
        yield running


def answer(result: Result) -> dict[str, Any]:
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


def test_resident_reads_who_the_stranger_is_and_why_it_asks(run: Run, shop: ForeignVerifier) -> None:
    link = shop.ask(DEGREE, registration=strangers.registration())
    text = run("inspect", link).stdout
    for words in (
        f"{strangers.SHOP_NAME} at localhost asks for your data. It is NOT on your trust list",
        "For: A student's discount",
        "Privacy policy: https://shop.vreemd.example/privacy",
        "You have never given it anything before",
        "degree [d.degree]",
        "Whoever gets diploma also sees: faculty.",
        "cannot be taken back",
    ):
        assert words in text
    assert "MSc" not in text
    data = answer(run("inspect", link, "--json"))
    assert (data["kind"], data["listed"], data["first_contact"], data["over_asking"]) == ("once", False, True, [])
    assert data["agency"] == {"id": "x509_san_dns:localhost", "name": strangers.SHOP_NAME}
    assert data["queries"] == [
        {
            "id": "d",
            "cards": [FIRST],
            "given": [FIRST],
            "always": ["faculty"],
            "optional": False,
            "multiple": False,
            "unnamed": False,
        }
    ]
    assert shop.received == []


def test_resident_is_warned_of_a_stranger_without_registration(run: Run, shop: ForeignVerifier) -> None:
    link = shop.ask(DEGREE, mode="direct_post")
    text = run("inspect", link).stdout
    assert "no registration that can be checked shows that it may ask this" in text
    assert "not be encrypted" in text
    assert "NOT REGISTERED" in text
    refusal = run("present", link, expect=1)
    assert "--unregistered" in refusal.stderr
    assert shop.received == []
    given = answer(run("present", link, "--unregistered", "--json"))
    assert (given["attributes"], given["listed"]) == (["diploma.degree", "diploma.faculty"], False)
    assert shop.shown("d") == ["degree"]
    assert "You have never given it" not in run("inspect", shop.ask(DEGREE)).stdout


def test_resident_is_warned_of_a_stranger_that_asks_more_than_it_registered(
    run: Run, shop: ForeignVerifier
) -> None:
    query = {"credentials": [{**DEGREE["credentials"][0], "claims": [{"path": ["courses"]}]}]}
    link = shop.ask(query, registration=strangers.registration())
    assert "Beware: it asks for more than it registered: d.courses." in run("inspect", link).stdout
    assert "asks for more than it registered" in run("present", link, "--unregistered", expect=1).stderr
    assert shop.received == []


def test_over_asking_behind_a_type_that_is_not_here_shows_the_card_that_would_go(
    run: Run, shop: ForeignVerifier
) -> None:
    query: dict[str, Any] = {"id": "d", "format": "dc+sd-jwt"}
    query["meta"] = {"vct_values": [strangers.BADGE, PERSOON]}
    query["claims"] = [{"path": ["geslachtsnaam"]}]
    shown = run("inspect", shop.ask({"credentials": [query]})).output
    assert "you have no card with this yet" not in shown
    assert "For d it gets persoon." in shown


def test_over_asking_by_a_query_without_claims_shows_the_card_that_would_go(
    run: Run, shop: ForeignVerifier
) -> None:
    bare = {"id": "e", "format": "dc+sd-jwt", "meta": {"vct_values": [PERSOON]}}
    shown = run("inspect", shop.ask({"credentials": [*DEGREE["credentials"], bare]})).output
    assert "For e it gets persoon." in shown
    assert "For d it gets" not in shown


def test_resident_chooses_between_two_diplomas(holder: Holder, run: Run, shop: ForeignVerifier) -> None:
    with holder.open() as wallet, wallet.vault.transaction():
        put_diplomas(wallet, "2", received=NOW, courses=("Muziek",))
    names = {card["card"] for card in answer(run("cards", "--json"))["cards"]}
    first = "diploma@uni.vreemd.example"
    assert {first, LATER} <= names
    assert "Muziek" in run("cards", "--values").stdout
    link = shop.ask(DEGREE, registration=strangers.registration())
    assert f"For d it gets {LATER}; choose another with --card: {first}" in run("inspect", link).stdout
    assert "bad_card_choice" in run("present", link, "--card", "adres", "--json", expect=1).stderr
    assert shop.received == []
    run("present", link, "--card", f"d={first}")
    with holder.open() as wallet:
        (spent,) = (copy for copy in wallet.copies().values() if copy.agency)
    assert spent.received < NOW


def test_optional_card_is_offered_and_given_on_request(run: Run, shop: ForeignVerifier) -> None:
    adres = {
        "id": "a",
        "format": "dc+sd-jwt",
        "meta": {"vct_values": [strangers.b.ADRES]},
        "claims": [{"path": ["postcode"]}],
    }
    query = {
        "credentials": [*DEGREE["credentials"], adres],
        "credential_sets": [{"options": [["d"]]}, {"options": [["a"]], "required": False}],
    }
    whole = strangers.registration(
        credentials=[
            {"format": "dc+sd-jwt", "meta": {"vct_values": [vct]}} for vct in (DIPLOMA, strangers.b.ADRES)
        ]
    )
    link = shop.ask(query, registration=whole)
    assert "It can do without adres: add it with --card a=adres" in run("inspect", link).stdout
    run("present", link)
    assert set(shop.open_answer()) == {"d"}
    shop.received.clear()
    run("present", shop.ask(query, registration=whole), "--optional")
    assert set(shop.open_answer()) == {"d", "a"}


def test_redirect_of_the_stranger_is_printed_for_yes_and_no(run: Run, shop: ForeignVerifier) -> None:
    shop.answer = json.dumps({"redirect_uri": REDIRECT}).encode()
    assert f"Go on at: {REDIRECT}" in run("decline", shop.ask(DEGREE)).stdout
    assert answer(run("decline", shop.ask(DEGREE), "--json"))["redirect"] == REDIRECT
    link = shop.ask(DEGREE, registration=strangers.registration())
    assert f"Go on at: {REDIRECT}" in run("present", link).stdout


def test_redirect_that_is_no_address_is_not_printed(run: Run, shop: ForeignVerifier) -> None:
    shop.answer = b'{"redirect_uri": "javascript:alert(1)"}'
    assert "Go on" not in run("decline", shop.ask(DEGREE)).stdout
    shop.answer = b"<html>thank you</html>"
    assert "Nothing was given" in run("decline", shop.ask(DEGREE)).stdout


def test_terminal_shows_the_request_and_takes_a_no(
    run: Run, shop: ForeignVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli_give, "_is_terminal", lambda: True)
    link = shop.ask(DEGREE, registration=strangers.registration())
    result = run("present", link, stdin="n\n", expect=1)
    assert "NOT on your trust list" in result.stderr
    assert "Do you want this?" in result.stderr
    assert shop.received == []
    run("present", link, stdin="y\n")
    assert shop.shown("d") == ["degree"]


def test_history_names_the_stranger_and_no_value(run: Run, shop: ForeignVerifier) -> None:
    run("present", shop.ask(DEGREE, registration=strangers.registration()))
    run("decline", shop.ask(DEGREE))
    text = run("history").stdout
    assert f"you gave {strangers.SHOP_NAME} a copy of diploma.degree, diploma.faculty" in text
    assert f"you said no to {strangers.SHOP_NAME}" in text
    assert "MSc" not in text


def test_card_without_copies_left_is_shown_again_on_request(
    holder: Holder, run: Run, shop: ForeignVerifier
) -> None:
    other = {"agency": "x509_san_dns:other.example"}
    with holder.open() as wallet, wallet.vault.transaction():
        for name, copy in wallet.copies().items():
            if copy.vct == DIPLOMA:
                wallet.vault.put("copies", name, msgspec.structs.replace(copy, **other))
    link = shop.ask(DEGREE, registration=strangers.registration())
    assert "--reuse" in run("present", link, expect=1).stderr
    assert shop.received == []
    run("present", link, "--reuse")
    assert shop.shown("d") == ["degree"]


def test_terminal_is_not_written_to_by_strangers(holder: Holder, run: Run, shop: ForeignVerifier) -> None:
    """Escape sequences and bidi characters in a query, a value, a title and a kind of card are not printed."""
    evil = "\x1b[2Jx\u202ey\r\n"
    with holder.open() as wallet, wallet.vault.transaction():
        text = strangers.diploma(None, seed="evil", person={"family_name": evil, evil: "z"}, faculty=evil)
        put(wallet, text, f"kaart{evil}", "E" * 22, 0, strangers.UNIVERSITY_ID, is_bound=False, title=evil)
    query = {"credentials": [{**DEGREE["credentials"][0], "claims": [{"path": ["person", evil]}]}]}
    link = shop.ask(query, registration=strangers.registration())
    for result in (
        run("inspect", link),
        run("present", link, expect=1),
        run("present", shop.ask(query), "--unregistered", expect=1),
        run("cards", "--values"),
        run("decline", link),
        run("history"),
    ):
        assert not {"\x1b", "\u202e", "\r"} & set(result.output)
