"""`regie verifier`: the same desk by command line, with fixed JSON and exit codes."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from protocol.canonical import parse_struct
from protocol.trust_list import Agency as Entry
from protocol.trust_list import sign_trust_list
from service.command import root
from service.home import Home
from tests.protocol import builders
from tests.protocol.builders import ADRES, AGENCY_ID, LOG_ORIGIN
from tests.verifier.agency import Agency, Granted, Wallet, copy_form
from verifier.ask import Wish
from verifier.desk import Desk


def grant(agency: Agency, wallet: Wallet, asked: dict[str, str]) -> Granted:
    made = wallet.grant(wallet.open(agency, asked["request"]))
    assert agency.post(asked["id"], made.form()).status_code == 200
    return made


def test_ask_grant_read_revoke(agency: Agency, wallet: Wallet, run: Any) -> None:
    asked = run("ask", builders.SERVICE_ID)
    assert set(asked) == {"request", "id"}
    (open_request,) = run("requests")["requests"]
    assert (open_request["state"], open_request["kind"], open_request["request"]) == (
        "open", "standing", asked["request"],
    )  # fmt: skip
    made = grant(agency, wallet, asked)
    (listed,) = run("grants")["grants"]
    assert (listed["id"], listed["slot"], listed["service"], listed["state"]) == (
        asked["id"], made.sealed.slot, builders.SERVICE_ID, "active",
    )  # fmt: skip
    assert listed["claims"][:3] == ["postcode", "huisnummer", "geslachtsnaam"]
    opened = run("read", asked["id"], "--only", "postcode", "--case", "Z-1", "--officer", "O-7")
    assert opened["values"]["postcode"] == "1234AB"
    assert set(opened["values"]) == {"postcode"}
    assert set(opened["flags"]) == set(builders.flags(ADRES))
    assert opened["n"] == 0
    assert agency.log.leaves[opened["index"]][0] == 3
    agency.log.stop(made.sealed.slot, made.secret)
    refusal = run("read", asked["id"], "--case", "Z-1", exit_code=1)
    assert "(revoked)" in refusal
    assert run("grants")["grants"][0]["state"] == "revoked"
    assert run("requests")["requests"][0]["state"] == "answered"


def test_log_that_is_down_exits_3_and_prints_no_value(agency: Agency, wallet: Wallet, run: Any) -> None:
    asked = run("ask", builders.SERVICE_ID)
    grant(agency, wallet, asked)
    agency.log.down = True
    error = run("read", asked["id"], "--case", "Z-1", exit_code=3)
    assert "(unreachable)" in error
    assert "1234AB" not in error
    agency.log.down = False
    assert run("read", asked["id"], "--case", "Z-1")["n"] == 0


def test_copy_is_handed_over_once(agency: Agency, wallet: Wallet, run: Any) -> None:
    asked = run("ask", builders.SERVICE_ID, "--once")
    request = wallet.open(agency, asked["request"])
    assert "(no_copy)" in run("read", asked["id"], exit_code=1)
    assert agency.post(asked["id"], copy_form(request, wallet.show(request))).status_code == 200
    assert run("read", asked["id"])["values"]["postcode"] == "1234AB"
    assert "(no_copy)" in run("read", asked["id"], exit_code=1)
    assert run("requests")["requests"][0]["kind"] == "copy"


def test_person_at_the_desk_gets_a_link_and_a_qr(run: Any) -> None:
    printed = run("ask", builders.SERVICE_ID, as_json=False)
    assert "openid4vp://?client_id=x509_hash%3A" in printed
    assert "█" in printed or "▀" in printed


def test_empty_lists_say_so(run: Any) -> None:
    assert run("grants", as_json=False) == "No grants yet.\n"
    assert run("requests", as_json=False) == "No requests yet.\n"
    assert run("grants") == {"grants": []}
    assert run("requests") == {"requests": []}


def test_services_of_the_trust_list(agency: Agency, run: Any) -> None:
    (service,) = run("services")["services"]
    assert service["id"] == builders.SERVICE_ID
    assert service["purpose"]["nl"] == "Nagaan of u hier woont"
    assert "Parkeervergunning" in run("services", as_json=False)
    agency.enlist(builders.trust_list(version=2, agencies=[builders.agency(services=[])]))
    assert run("services") == {"services": []}
    assert run("services", as_json=False) == "No services in the trust list yet.\n"


def test_person_at_the_desk_reads_lines(agency: Agency, wallet: Wallet, run: Any) -> None:
    asked = run("ask", builders.SERVICE_ID)
    grant(agency, wallet, asked)
    printed = run("read", asked["id"], "--case", "Z-1", as_json=False)
    assert "postcode: 1234AB\n" in printed
    assert "adres.geheimhouding: –\n" in printed
    assert "reading 1" in printed
    assert "slot 1" in run("grants", as_json=False)


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        (("ask", "onbekend"), 1),
        (("read", "onbekend", "--case", "Z"), 1),
        (("ask", builders.SERVICE_ID, "--days", "0"), 2),
        (("ask", builders.SERVICE_ID, "--hours", "18-8"), 2),
        (("ask", builders.SERVICE_ID, "--hours", "x"), 2),
        (("ask", builders.SERVICE_ID, "--weekdays", "8"), 2),
        (("ask",), 2),
    ],
)
def test_wrong_use_and_refusal_have_their_exit_codes(run: Any, arguments: tuple[str, ...], exit_code: int) -> None:
    assert run(*arguments, exit_code=exit_code)


def test_reading_a_grant_without_a_case_is_wrong_use(agency: Agency, wallet: Wallet, run: Any) -> None:
    asked = run("ask", builders.SERVICE_ID)
    grant(agency, wallet, asked)
    assert "--case" in run("read", asked["id"], exit_code=2)
    assert not agency.log.requests


def test_context_is_asked(agency: Agency, wallet: Wallet, run: Any) -> None:
    asked = run("ask", builders.SERVICE_ID, "--hours", "8-18", "--weekdays", "1,2,3,4,5", "--zone", "office")
    consent = wallet.open(agency, asked["request"]).consent
    assert consent is not None
    assert consent.context is not None
    assert (consent.context.days, consent.context.hours, consent.context.zone) == (
        [1, 2, 3, 4, 5],
        [8, 18],
        "office",
    )


def test_evidence_is_written_once(agency: Agency, wallet: Wallet, run: Any, tmp_path: Path) -> None:
    grant(agency, wallet, run("ask", builders.SERVICE_ID))
    file = tmp_path / "evidence.db"
    assert run("evidence", str(file))["grants"] == 1
    assert "(exists)" in run("evidence", str(file), exit_code=1)


# --- init ------------------------------------------------------------------------------------------------


def init(path: Path, *more: str, url: str = "https://agency.example", oin: str = AGENCY_ID) -> Result:
    registrar = path / "registrar.json"
    registrar.write_text(json.dumps(builders.REGISTRAR.public.jwk()))
    arguments = [
        "verifier", "init", "--home", str(path / "new"), "--url", url, "--oin", oin, "--name", "Gemeente",
        "--trust-list", str(path / "trust.jwt"), "--registrar", str(registrar), "--log", LOG_ORIGIN, "--json",
    ]  # fmt: skip
    return CliRunner().invoke(root, [*arguments, *more])


def test_init_makes_a_home_and_prints_what_the_registrar_needs(tmp_path: Path) -> None:
    result = init(tmp_path)
    assert result.exit_code == 0, result.output
    entry = parse_struct(json.dumps(json.loads(result.stdout)["entry"]), Entry)
    assert (entry.id, entry.name, entry.services) == (AGENCY_ID, "Gemeente", [])
    home = Home(tmp_path / "new")
    assert parse_struct(home.read("entry.json"), Entry) == entry
    secrets = ("root-key.pem", "signing-key.pem", "copies.key", "verifier.db")
    assert all(home.file(name).stat().st_mode & 0o777 == 0o600 for name in secrets)
    assert home.path.stat().st_mode & 0o777 == 0o700
    assert "(exists)" in init(tmp_path).stderr


def test_entry_of_init_is_enough_to_be_listed_and_to_ask(tmp_path: Path) -> None:
    entry = parse_struct(json.dumps(json.loads(init(tmp_path).stdout)["entry"]), Entry)
    agency = builders.agency(roots=entry.roots)
    trust = builders.trust_list(agencies=[agency], iat=1, exp=2**40)
    (tmp_path / "trust.jwt").write_text(sign_trust_list(trust, builders.REGISTRAR))
    rid, link = Desk(Home(tmp_path / "new")).ask(builders.SERVICE_ID, Wish())
    assert rid in link


@pytest.mark.parametrize(
    ("options", "exit_code"),
    [
        ({"oin": "123"}, 2),
        ({"url": "http://agency.example"}, 1),
        ({"url": "https://agency.example/"}, 1),
        ({"url": "https://agency.example?x"}, 1),
        ({"url": "ftp://agency.example"}, 1),
        ({"url": "https://a:b@agency.example"}, 1),
        ({"url": "https://agency.example:99999"}, 1),
        ({"url": "https://agency.example/" + "x" * 300}, 1),
    ],
)
def test_init_refuses(tmp_path: Path, options: dict[str, str], exit_code: int) -> None:
    assert init(tmp_path, **options).exit_code == exit_code
    assert not (tmp_path / "new" / "config.json").exists()


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8082", "http://localhost:8082", "https://agency.example/verifier"]
)
def test_init_takes(tmp_path: Path, url: str) -> None:
    assert init(tmp_path, url=url).exit_code == 0


def test_init_refuses_a_name_that_cannot_be_shown(tmp_path: Path) -> None:
    assert init(tmp_path, "--name", " ").exit_code == 2
    assert init(tmp_path, "--name", "x" * 257).exit_code == 2
    assert init(tmp_path, "--name", "x" * 256).exit_code == 0


def test_gap_in_the_numbers_is_told(agency: Agency, wallet: Wallet, run: Any) -> None:
    asked = run("ask", builders.SERVICE_ID)
    grant(agency, wallet, asked)
    agency.log.next_n = 2
    assert run("read", asked["id"], "--case", "Z-1")["gaps"] == [0, 1]


def test_check_and_follow_tell_which_grants_stand(agency: Agency, wallet: Wallet, run: Any) -> None:
    assert run("check")["grants"] == []
    asked = run("ask", builders.SERVICE_ID)
    made = grant(agency, wallet, asked)
    (found,) = run("check", asked["id"])["grants"]
    assert (found["id"], found["state"]) == (asked["id"], "stands")
    assert "stands" in run("check", as_json=False)
    assert run("follow", "--once")["ended"] == []
    agency.log.stop(made.sealed.slot, made.secret)
    step = run("follow", "--once")
    assert (step["log"], step["ended"]) == (LOG_ORIGIN, [asked["id"]])
    assert run("check", asked["id"])["grants"][0]["state"] == "revoked"
    run("check", "nobody", exit_code=1)
    agency.log.down = True
    run("follow", "--once", exit_code=3)
