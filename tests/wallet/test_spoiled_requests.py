"""A verifier that signs anything: the wallet answers or refuses, keeps what it gave, and never falls over.

The signature is good every time; what is spoiled lies behind it, in the registration certificate, in the link or
in the answer to an answer. REGIE_SPOILED_REQUESTS=5000 goes on for longer.
"""

import os
import random
from pathlib import Path
from typing import Any

import pytest

from protocol.errors import RegieError
from protocol.registration_certificate import REGISTRATION_TYP
from service.fetch import Answer, Fetcher
from tests.conformance.foreign_verifier import VERIFIER, ForeignVerifier
from tests.conformance.held_cards import Holder, fill
from tests.protocol import strangers
from tests.protocol.peer_input import forge
from tests.protocol.spoiling import CANARY, spoil, spoil_text
from tests.protocol.strangers import DIPLOMA
from wallet import show_request
from wallet.errand_request import read_request, share_once
from wallet.opened import OpenWallet
from wallet.records import Activity, ShareChoice

ROUNDS = int(os.environ.get("REGIE_SPOILED_REQUESTS", "30"))
QUERY: dict[str, Any] = {
    "credentials": [
        {
            "id": "d",
            "format": "dc+sd-jwt",
            "meta": {"vct_values": [DIPLOMA]},
            "claims": [
                {"id": "a", "path": ["degree"]},
                {"id": "b", "path": ["courses", None], "values": ["Logica"]},
            ],
            "claim_sets": [["a", "b"], ["a"]],
            "multiple": True,
        },
        {"id": "x", "format": "mso_mdoc", "meta": {"doctype_value": "y"}},
    ],
    "credential_sets": [{"options": [["d"], ["x"]]}, {"options": [["x"]], "required": False}],
}

WHOLE = strangers.registration_payload(credentials=[{"format": "dc+sd-jwt", "meta": {"vct_values": [DIPLOMA]}}])
REGISTERED = strangers.registration(credentials=WHOLE["credentials"])


class Wire(Fetcher):
    """The verifier without a network."""

    def __init__(self, verifier: ForeignVerifier) -> None:
        super().__init__(loopback=True)
        self.verifier = verifier
        self.token = ""
        self.answer = b"{}"
        self.posts = 0

    def check_address(self, url: str) -> None:
        """By its form and host, as always."""
        super().check_address(url)

    def request(self, method: str, url: str, **options: Any) -> Answer:  # type: ignore[override]
        """The request object, or the answer to an answer."""
        if url.endswith("/request"):
            return Answer(200, {"content-type": "application/oauth-authz-req+jwt"}, self.token.encode())
        self.posts += 1
        return Answer(200, {"content-type": "application/json"}, self.answer)


@pytest.fixture(scope="module")
def holder(tmp_path_factory: pytest.TempPathFactory) -> Holder:
    made = Holder(Path(tmp_path_factory.mktemp("spoiled")))
    made.create()
    fill(made)
    made.trust_strangers(VERIFIER)
    return made


@pytest.fixture(scope="module")
def wire(holder: Holder) -> Wire:
    made = Wire(ForeignVerifier())
    holder.fetcher = made
    return made


def attempt(wallet: OpenWallet, wire: Wire, link: str, **choice: Any) -> bool:
    """Whether it was answered. A refusal repeats nothing of what was sent and leaves everything as it was."""
    before, posts = wallet.vault.export(), wire.posts
    try:
        request = read_request(wallet, link)
        data = show_request.request_data(request, wallet.copies(), wallet.now(), is_known=False)
        assert not {"\x1b", "\u202e", "\0"} & set(show_request.request_text(data))
        share_once(wallet, link, choice=ShareChoice(**choice))
    except RegieError as error:
        refusal = error
    else:
        return True
    assert _is_quiet(refusal)
    assert wire.posts > posts or wallet.vault.export() == before
    return False


def _is_quiet(error: RegieError) -> bool:
    """Over-asking names what is asked, to the resident only; nothing else repeats what was sent."""
    return error.code == "over_asking" or CANARY not in f"{error.code}{error.detail}"


def forget(wallet: OpenWallet) -> None:
    """The next round finds all copies unspent."""
    with wallet.vault.transaction():
        for name, copy in wallet.copies().items():
            if copy.agency is not None:
                wallet.vault.put("copies", name, type(copy)(**{**_members(copy), "agency": None}))
        for name in wallet.vault.all("activities", Activity):
            wallet.vault.delete("activities", name)


def _members(copy: Any) -> dict[str, Any]:
    return {name: getattr(copy, name) for name in copy.__struct_fields__}


X5C = {"x5c": VERIFIER.x5c}
TYP = "oauth-authz-req+jwt"


@pytest.mark.parametrize("place", ["payload", "query", "metadata", "registration"])
def test_spoiled_request_is_answered_or_refused(holder: Holder, wire: Wire, place: str) -> None:
    answered = 0
    with holder.open() as wallet:
        for number in range(ROUNDS):
            chance = random.Random(f"{place} {number}")
            link = wire.verifier.ask(QUERY, registration=REGISTERED)
            payload: Any = dict(wire.verifier.payload)
            if place == "payload":
                payload = spoil(chance, payload)
            elif place == "query":
                payload["dcql_query"] = spoil(chance, QUERY)
            elif place == "metadata":
                payload["client_metadata"] = spoil(chance, payload["client_metadata"])
            else:
                registrar = strangers.SECTOR_REGISTRAR
                said = spoil(chance, WHOLE)
                token = forge(said, registrar.key, REGISTRATION_TYP, {"x5c": registrar.x5c})
                payload["verifier_info"] = [{"format": "registration_cert", "data": token}]
            wire.token = forge(payload, VERIFIER.key, TYP, X5C)
            if attempt(wallet, wire, link, unregistered=place != "registration", optional=True):
                answered += 1
                forget(wallet)
    assert 0 < answered < ROUNDS


def test_spoiled_link_is_opened_or_refused(holder: Holder, wire: Wire) -> None:
    link = wire.verifier.ask(QUERY, registration=REGISTERED)
    wire.token = forge(wire.verifier.payload, VERIFIER.key, TYP, X5C)
    with holder.open() as wallet:
        for number in range(ROUNDS):
            if attempt(wallet, wire, spoil_text(random.Random(f"link {number}"), link), unregistered=True):
                forget(wallet)


def test_spoiled_token_is_refused_and_nothing_leaves(holder: Holder, wire: Wire) -> None:
    link = wire.verifier.ask(QUERY, registration=REGISTERED)
    good = forge(wire.verifier.payload, VERIFIER.key, TYP, X5C)
    posts = wire.posts
    with holder.open() as wallet:
        for number in range(ROUNDS):
            spoiled = spoil_text(random.Random(f"token {number}"), good).encode("utf-8", "replace").decode()
            if spoiled.strip() != good:
                wire.token = spoiled
                assert not attempt(wallet, wire, link, unregistered=True)
    assert wire.posts == posts


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff\xfe", b"[]", b"null", b'{"redirect_uri":1}', b'{"redirect_uri":"//evil.example"}', b"{" * 4000,
     b'{"redirect_uri":"https://a.example/\\u202e"}', b'{"redirect_uri":"https://user@a.example/"}'],
)  # fmt: skip
def test_whatever_the_verifier_says_after_a_copy_it_has_it(holder: Holder, wire: Wire, body: bytes) -> None:
    wire.answer = body
    link = wire.verifier.ask(QUERY, registration=REGISTERED)
    wire.token = forge(wire.verifier.payload, VERIFIER.key, TYP, X5C)
    with holder.open() as wallet:
        shared = share_once(wallet, link, choice=ShareChoice(unregistered=True, reuse=True))
        assert shared.redirect is None
        (activity,) = wallet.vault.all("activities", Activity).values()
        assert activity.kind == "shared"
        forget(wallet)
