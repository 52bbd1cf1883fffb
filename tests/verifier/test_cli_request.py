"""`regie verifier request` and `verdict`: ask by a query of one's own, and see why an answer was refused."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.protocol import builders
from tests.protocol.builders import ADRES
from tests.verifier.agency import URL, Agency, Wallet, copy_form
from verifier.verdict import STEPS

QUERY = {
    "credentials": [
        {
            "id": "adres",
            "format": "dc+sd-jwt",
            "meta": {"vct_values": [ADRES]},
            "claims": [{"path": ["postcode"], "values": ["1234AB", "5678CD"]}],
        }
    ]
}
PAYMENT = {"type": "urn:example:payment:1", "credential_ids": ["adres"], "amount": "1.00"}


def write(folder: Path, value: Any, name: str = "query.json") -> str:
    path = folder / name
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return str(path)


def share(agency: Agency, wallet: Wallet, asked: dict[str, str], **changes: Any) -> int:
    request = wallet.open(agency, asked["request"])
    return agency.post(asked["id"], copy_form(request, wallet.show(request, **changes))).status_code


@pytest.mark.parametrize("wrapped", [False, True])
def test_copy_is_asked_by_a_query_in_a_file(
    agency: Agency, wallet: Wallet, run: Any, tmp_path: Path, wrapped: bool
) -> None:
    file = write(tmp_path, {"dcql_query": QUERY} if wrapped else QUERY)
    asked = run("request", builders.SERVICE_ID, "--dcql", file)
    assert set(asked) == {"request", "id"}
    assert share(agency, wallet, asked) == 200
    found = run("read", asked["id"])
    assert found["values"]["postcode"] == "1234AB"
    assert set(found["values"]) == {"postcode", *builders.flags(ADRES)}
    (card,) = found["credentials"]
    assert (card["id"], card["vct"], card["issuer"]) == ("adres", ADRES, builders.ISSUER_ID)
    assert "(no_copy)" in run("read", asked["id"], exit_code=1)


def test_without_a_query_everything_registered_is_asked(agency: Agency, wallet: Wallet, run: Any) -> None:
    asked = run("request", builders.SERVICE_ID)
    assert share(agency, wallet, asked) == 200
    assert {"postcode", "huisnummer", "geslachtsnaam"} <= set(run("read", asked["id"])["values"])
    words = run("request", builders.SERVICE_ID, as_json=False)
    (listed,) = [item for item in run("requests")["requests"] if item["state"] == "open"]
    assert listed["request"] in words


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ({"credentials": [{**QUERY["credentials"][0], "claims": [{"path": ["straat"]}]}]}, "over_asking"),
        ({"credentials": [{**QUERY["credentials"][0], "format": "mso_mdoc"}]}, "bad_query"),
        ({"credentials": []}, "bad_form"),
        ([], "bad_form"),
        ("{", "bad_json"),
        ("x" * 40_000, "too_large"),
    ],
)
def test_query_that_may_not_be_asked_is_refused(
    agency: Agency, run: Any, tmp_path: Path, value: Any, code: str
) -> None:
    assert f"({code})" in run("request", builders.SERVICE_ID, "--dcql", write(tmp_path, value), exit_code=1)
    assert not agency.stored()["requests"]


def test_transaction_comes_from_a_file(run: Any, agency: Agency, tmp_path: Path) -> None:
    file = write(tmp_path, PAYMENT)
    assert "(bad_wish)" in run("request", builders.SERVICE_ID, "--transaction", file, exit_code=1)
    config = agency.home.read("config.json")
    agency.home.write_json("config.json", {**json.loads(config), "transaction_types": [PAYMENT["type"]]})
    asked = run("request", builders.SERVICE_ID, "--transaction", file, "--transaction", file)
    payload = agency.desk.store.requests.get(asked["id"]).request.payload
    assert len(payload["transaction_data"]) == 2


@pytest.mark.parametrize("command", [("request",), ("ask", "--once"), ("ask",)])
def test_request_for_the_same_device_gives_an_address_and_no_link(
    agency: Agency, run: Any, command: tuple[str, ...]
) -> None:
    asked = run(command[0], builders.SERVICE_ID, *command[1:], "--same-device")
    assert set(asked) == {"start", "id"}
    assert asked["start"].startswith(f"{URL}/start/")
    (listed,) = run("requests")["requests"]
    assert (listed["session"], "request" in listed) == ("waiting", False)
    words = run(command[0], builders.SERVICE_ID, *command[1:], "--same-device", as_json=False)
    assert "openid4vp" not in words
    assert f"{URL}/start/" in words


def test_verdict_explains_refusal_and_acceptance_in_words_and_json(
    agency: Agency, wallet: Wallet, run: Any
) -> None:
    asked = run("request", builders.SERVICE_ID)
    assert run("verdict", asked["id"]) == {"id": asked["id"], "state": "open", "verdicts": []}
    assert "Nothing has been answered yet." in run("verdict", asked["id"], as_json=False)
    assert share(agency, wallet, asked, audience="x509_hash:another") == 400
    assert share(agency, wallet, asked) == 200
    told = run("verdict", asked["id"])
    assert told["state"] == "answered"
    refused, accepted = told["verdicts"]
    assert (refused["accepted"], refused["code"], refused["at"]) == (False, "wrong_audience", builders.NOW)
    (step,) = [step for step in refused["steps"] if step["outcome"] == "failed"]
    assert step["name"] == "audience"
    assert step["en"] == "The holder signed for this organisation"
    assert step["nl"] == "De houder tekende voor deze organisatie"
    assert step["clause"] == "OpenID4VP 1.0 appendix B.3.6"
    assert accepted["accepted"]
    assert "code" not in accepted
    assert {step["name"] for step in accepted["steps"]} == set(STEPS["copy"])
    words = run("verdict", asked["id"], as_json=False)
    assert "refused: wrong_audience" in words
    assert "✗ The holder signed for this organisation" in words
    assert "✗ De houder tekende voor deze organisatie" in run(
        "verdict", asked["id"], "--lang", "nl", as_json=False
    )
    assert "1234AB" not in words


def test_verdict_of_the_same_device_waits_for_the_way_back(agency: Agency, wallet: Wallet, run: Any) -> None:
    def started() -> tuple[str, Any, str]:
        asked = run("request", builders.SERVICE_ID, "--same-device")
        browser = agency.app.test_client()
        page = browser.post(urlsplit(asked["start"]).path, base_url=URL)
        link = page.text.partition('href="')[2].partition('"')[0].replace("&amp;", "&")
        request = wallet.open(agency, link)
        answer = agency.post(asked["id"], copy_form(request, wallet.show(request)))
        return asked["id"], browser, json.loads(answer.text)["redirect_uri"]

    def last(rid: str) -> tuple[bool, Any, str]:
        (told,) = run("verdict", rid)["verdicts"]
        assert told["steps"][-1]["name"] == "return"
        return told["accepted"], told.get("code"), told["steps"][-1]["outcome"]

    rid, browser, back = started()
    assert last(rid) == (False, "not_returned", "not_reached")
    assert "(not_returned)" in run("read", rid, exit_code=1)
    browser.get(back)
    assert last(rid) == (True, None, "passed")
    assert run("read", rid)["values"]["postcode"] == "1234AB"
    rid, _, back = started()
    agency.app.test_client().get(back)
    assert last(rid) == (False, "other_session", "failed")
    assert "(other_session)" in run("read", rid, exit_code=1)


def test_verdict_on_an_unknown_request_is_refused(run: Any) -> None:
    assert "(unknown_request)" in run("verdict", "nobody", exit_code=1)
