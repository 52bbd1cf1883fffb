"""The whole of issuing against a server process, by a client that knows HTTP and the specification only."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import urllib3

from protocol.canonical import convert
from protocol.credential import verify_credential
from protocol.status_list import verify_status_token
from protocol.trust_list import TrustedIssuer, TrustList
from tests.issuer.desk import NOOR, PERSONS, PRE_AUTHORIZED, HolderKey, jwt_parts

HTTP = urllib3.PoolManager(retries=False, timeout=60)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Town:
    """A home, the address of its server, and the issuer's entry."""

    home: Path
    url: str
    entry: TrustedIssuer
    log: Path


def command(home: Path, *arguments: str) -> list[str]:
    start = "from service.command import main; main()"
    return [sys.executable, "-c", start, "issuer", arguments[0], "--home", str(home), *arguments[1:]]


def run(home: Path, *arguments: str, stdin: str = "") -> Any:
    done = subprocess.run(
        command(home, *arguments, "--json"), input=stdin, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """An issuer's server, stopped with its whole process group at the end."""
    home, url = tmp_path_factory.mktemp("town") / "issuer", f"http://localhost:{free_port()}"
    entry = convert(run(home, "init", "--url", url, "--name", "Gemeente Lindehaven")["entry"], TrustedIssuer)
    run(home, "import", str(PERSONS))
    log = home.with_suffix(".log")
    with log.open("wb") as stream:
        server = subprocess.Popen(
            command(home, "serve"), stdout=subprocess.PIPE, stderr=stream, start_new_session=True, text=True
        )
    assert server.stdout is not None
    line = server.stdout.readline()
    assert line.startswith("listening on http://"), log.read_text()
    yield Town(home, url, entry, log)
    os.killpg(server.pid, signal.SIGTERM)
    assert server.wait(60) == 0


def get_json(url: str) -> Any:
    answer = HTTP.request("GET", url)
    assert (answer.status, answer.headers["Content-Type"].split(";")[0]) == (200, "application/json")
    return answer.json()


def receive(town: Town, link: str, tx_code: str, copies: int) -> dict[str, list[str]]:
    """What a stranger's wallet does with a link: discovery, token, nonce, credentials, notification."""
    offer = get_json(parse_qs(urlsplit(link).query)["credential_offer_uri"][0])
    issuer = offer["credential_issuer"]
    metadata = get_json(f"{issuer}/.well-known/openid-credential-issuer")
    server = get_json(f"{issuer}/.well-known/oauth-authorization-server")
    assert (metadata["credential_issuer"], server["issuer"]) == (issuer, issuer)
    form = {
        "grant_type": PRE_AUTHORIZED,
        "pre-authorized_code": offer["grants"][PRE_AUTHORIZED]["pre-authorized_code"],
        "tx_code": tx_code,
        "user_pin": tx_code,
        "resource": issuer,
    }
    form_type = {"Content-Type": "application/x-www-form-urlencoded"}
    token = HTTP.request("POST", server["token_endpoint"], body=urlencode(form), headers=form_type).json()
    bearer = {"Authorization": f"Bearer {token['access_token']}"}
    found = {}
    for name in offer["credential_configuration_ids"]:
        nonce = HTTP.request("POST", metadata["nonce_endpoint"]).json()["c_nonce"]
        proofs = [HolderKey().proof(issuer, nonce, int(time.time())) for _ in range(copies)]
        body = {"credential_configuration_id": name, "proofs": {"jwt": proofs}}
        answer = HTTP.request("POST", metadata["credential_endpoint"], json=body, headers=bearer)
        assert answer.status == 200, answer.data
        found[name] = [item["credential"] for item in answer.json()["credentials"]]
        notice = {"notification_id": answer.json()["notification_id"], "event": "credential_accepted"}
        assert HTTP.request("POST", metadata["notification_endpoint"], json=notice, headers=bearer).status == 204
    return found


def status_of(town: Town, text: str) -> int:
    reference = jwt_parts(text.partition("~")[0])[1]["status"]["status_list"]
    answer = HTTP.request("GET", reference["uri"], headers={"Accept": "application/statuslist+jwt"})
    assert answer.headers["Content-Type"] == "application/statuslist+jwt"
    found = verify_status_token(
        answer.data.decode(), uri=reference["uri"], roots=town.entry.root_certificates, now=int(time.time())
    )
    return found.status(reference["idx"])


def test_resident_receives_cards_and_the_issuer_takes_them_back(town: Town) -> None:
    offer = run(town.home, "offer", "--bsn", "-", stdin=f"{NOOR}\n")
    cards = receive(town, offer["offer"], offer["tx_code"], 4)
    assert set(cards) == {"persoon", "adres", "gezin", "gezag"}
    now = int(time.time())
    trust = TrustList(version=1, iat=now, exp=now + 3600, issuers=[town.entry])
    found = {name: [verify_credential(text, trust, now) for text in texts] for name, texts in cards.items()}
    assert found["persoon"][0].claims["burgerservicenummer"] == NOOR
    assert found["adres"][3].claims["straat"] == "Kersenlaan"
    assert found["gezin"][1].claims["partner"]["naam"] == "Jelle Brandsma"
    sets = [[card.issuer_jwt.set_id for card in cards_] for cards_ in found.values()]
    assert sets[0] == sets[1] == sets[2]
    assert len(set(sets[0])) == 4

    everything = [text for texts in cards.values() for text in texts]
    assert {status_of(town, text) for text in everything} == {0}
    issued = {one["id"]: one for one in run(town.home, "issued", "--bsn", "-", stdin=f"{NOOR}\n")["issued"]}
    assert (issued[offer["id"]]["copies"], issued[offer["id"]]["revoked"]) == (4, 0)
    assert run(town.home, "revoke", offer["id"], "--reason", "telefoon gestolen") == {"copies": 16, "revoked": 16}
    assert {status_of(town, text) for text in everything} == {1}


def test_server_refuses_a_used_link_and_goes_on(town: Town) -> None:
    offer = run(town.home, "offer", "--bsn", NOOR, "--credential", "adres")
    assert receive(town, offer["offer"], offer["tx_code"], 1)["adres"]
    assert HTTP.request("GET", parse_qs(urlsplit(offer["offer"]).query)["credential_offer_uri"][0]).status == 404
    assert get_json(f"{town.url}/healthz")["status"] == "ok"


def test_server_survives_a_huge_body(town: Town) -> None:
    for path in ("/token", "/credential", "/notification"):
        headers = {"Authorization": "Bearer AAAA", "Content-Type": "application/json"}
        try:
            answer = HTTP.request("POST", town.url + path, body=b"[" * 8_000_000, headers=headers)
        except urllib3.exceptions.HTTPError:
            continue  # hanging up on who keeps sending is an answer too
        assert 400 <= answer.status < 500
    assert get_json(f"{town.url}/healthz")["status"] == "ok"


def test_log_of_the_server_names_nobody(town: Town) -> None:
    offer = run(town.home, "offer", "--bsn", NOOR, "--credential", "adres")
    receive(town, offer["offer"], offer["tx_code"], 1)
    log = town.log.read_text()
    assert '"route": "/credential"' in log
    for secret in (NOOR, offer["id"], offer["tx_code"], "Verhulst"):
        assert secret not in log


def test_description_leads_to_every_endpoint_of_the_server(town: Town) -> None:
    """By the addresses in it, as a client resolves them: none is missing (404), none takes another method."""
    answer = HTTP.request("GET", f"{town.url}/v1/openapi.json")
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, "*")
    described = json.loads(answer.data)
    assert described["servers"] == [{"url": f"{town.url}/v1"}]
    asked = 0
    for path, item in described["paths"].items():
        (server,) = item.get("servers", described["servers"])
        for method in {"get", "post"} & set(item):
            if "{" not in path:
                found = HTTP.request(method.upper(), server["url"] + path)
                assert str(found.status) in item[method]["responses"], path
                assert found.headers["API-Version"] == described["info"]["version"]
                asked += found.status == 200
    assert asked >= 5
