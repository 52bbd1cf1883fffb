"""Attacks on the wallet, by what the attacker wants: blind the resident, widen a grant, link copies, crash it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from protocol.canonical import b64u_encode, sha256
from protocol.credential import split_sd_jwt
from protocol.errors import RegieError, Rejected, Unavailable
from protocol.issuer_jwt import verify_issuer_jwt
from protocol.terms import MAX_READS, MAX_TIME
from service.command import root
from service.fetch import Answer
from tests.wallet.conftest import PASSPHRASE, Resident
from tests.wallet.neighbours import LOG_HOST, Agency, Neighbours
from wallet import show
from wallet.errand_grant import grant
from wallet.errand_history import look_back
from wallet.errand_leaves import search_hidden
from wallet.errand_receive import receive
from wallet.errand_request import decline, share_once
from wallet.errand_revoke import stop_grant
from wallet.opened import OpenWallet
from wallet.records import Choice


def test_agency_blinds_the_history_with_a_date_at_the_end_of_the_calendar(
    wallet: OpenWallet, neighbours: Neighbours
) -> None:
    grant(wallet, neighbours.agency.ask(), Choice())
    neighbours.log.agency_message(neighbours.log.grants[0].slot, kind="kept", law="AW art. 1", until=MAX_TIME)
    events = look_back(wallet, "1").history.events
    told = [show.event_text(show.event_data("1", event), "Gemeente") for event in events]
    assert "until 31 December 9999" in told[-1]


def test_second_try_with_a_narrower_choice_does_not_give_the_wider_one(
    wallet: OpenWallet, neighbours: Neighbours
) -> None:
    """The log is down at the first try; the resident thinks again, and leaves something out at the second."""
    link = neighbours.agency.ask()
    neighbours.down = {LOG_HOST}
    with pytest.raises(Unavailable):
        grant(wallet, link, Choice())
    neighbours.down = set()
    with pytest.raises(Rejected) as refusal:
        grant(wallet, link, Choice(without=("huisnummer",), max_reads=1))
    assert refusal.value.code == "other_choice"
    assert "regie wallet revoke 1" in refusal.value.detail
    assert neighbours.log.grants == neighbours.agency.grants == []
    assert grant(wallet, link, Choice()).record.state == "active"


def test_more_reads_than_any_grant_may_have_are_refused_before_anything_is_kept(
    wallet: OpenWallet, neighbours: Neighbours
) -> None:
    for count in (MAX_READS + 1, 10**30):
        with pytest.raises(Rejected) as refusal:
            grant(wallet, neighbours.agency.ask(), Choice(max_reads=count))
        assert refusal.value.code == "too_many_reads"
    assert wallet.grants() == {}
    grant(wallet, neighbours.agency.ask(), Choice(max_reads=MAX_READS))


def identifiers(agency: Agency) -> list[dict[str, Any]]:
    """Of each answer that an agency got, everything in it that is this resident's alone or this answer's alone."""
    found = []
    trust, now = agency.trust(), agency.clock.time
    for answer in (verified.answer for verified in agency.grants):
        terms, sealed = answer.terms, answer.sealed
        for text in answer.vp_token.values():
            parts = split_sd_jwt(text)
            jwt = verify_issuer_jwt(parts.jwt, trust, now)
            found.append({**jwt_marks(jwt), "kb": text.rpartition("~")[2]})
        marks = {"lock": terms.lock, "tag_key": terms.tag_key, "slot": sealed.slot, "share_a": sealed.share_a}
        marks |= {"opening_key": sealed.opening_key, "request": terms.request_hash}
        for number, (claim, item) in enumerate(zip(terms.claims, sealed.sealed, strict=True)):
            marks |= {f"digest {number}": claim.digest, f"share {number}": claim.share}
            marks |= {f"nonce {number}": item.nonce, f"ciphertext {number}": item.ciphertext}
        found.append(marks)
    for token in agency.copies:
        for texts in token.values():
            for text in texts:
                parts = split_sd_jwt(text)
                marks = jwt_marks(verify_issuer_jwt(parts.jwt, trust, now))
                marks |= {f"disclosure {number}": one for number, one in enumerate(parts.disclosures)}
                found.append({**marks, "kb": text.rpartition("~")[2]})
    return found


def jwt_marks(jwt: Any) -> dict[str, Any]:
    """What of an issuer-signed JWT could recognise its holder."""
    digests = {f"sd {number}": b64u_encode(one) for number, one in enumerate(sorted(jwt.digests))}
    return {
        "jwt": jwt.token,
        "set": jwt.set_id,
        "holder": b64u_encode(sha256(str(jwt.holder.jwk()).encode())),
        "status": jwt.status,
        **digests,
    }


def test_two_agencies_compare_everything_they_hold_and_find_nothing_in_common(
    wallet: OpenWallet, neighbours: Neighbours
) -> None:
    """Standing access and copies, at two agencies, several times: no value but public ones is held by both."""
    query = neighbours.agency.copy_query("postcode")
    for agency in (neighbours.agency, neighbours.second):
        grant(wallet, agency.ask(), Choice())
        share_once(wallet, agency.ask(once=True, query=query))
    first, second = (
        {str(value) for marks in identifiers(agency) for value in marks.values()}
        for agency in (neighbours.agency, neighbours.second)
    )
    assert len(first) > 80
    assert first & second == set()


def test_two_grants_at_one_agency_share_no_secret(wallet: OpenWallet, neighbours: Neighbours) -> None:
    """The agency knows that it asked twice; lock, tag key, shares and opening key still are of one grant only."""
    grant(wallet, neighbours.agency.ask(), Choice())
    grant(wallet, neighbours.agency.ask(), Choice())
    first, second = (
        {
            answer.terms.lock,
            answer.terms.tag_key,
            answer.sealed.opening_key,
            answer.sealed.share_a,
            *(claim.share for claim in answer.terms.claims),
            *(item.ciphertext for item in answer.sealed.sealed),
        }
        for answer in (verified.answer for verified in neighbours.agency.grants)
    )
    assert first & second == set()


HOSTILE = (
    b"",
    b"\xff\xfe\x00",
    b"{}",
    b"[]",
    b"null",
    b'"x"',
    b"[" * 3000,
    b'{"a":' * 3000,
    b'{"slot":1e400}',
    b'{"slot":-1,"slot":2}',
    b'{"events":[{"index":9007199254740993}]}',
    b'{"\\ud800":1}',
    b"a.b.c",
    b"eyJ9.eyJ9.eyJ9",
    b"\n\n\n",
    b"x\n1\n!\n\n- x !\n",
    b"\x00" * 65,
)


@pytest.fixture
def garbling(
    neighbours: Neighbours, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str, bytes, str], None]]:
    """From now on calls whose address has `place` in it are answered with these bytes."""
    original = neighbours.request

    def garble(place: str, body: bytes, media_type: str) -> None:
        def request(method: str, url: str, **options: Any) -> Answer:
            if place in url:
                return Answer(200, {"content-type": media_type}, body)
            return original(method, url, **options)

        monkeypatch.setattr(neighbours, "request", request)

    yield garble
    monkeypatch.setattr(neighbours, "request", original)


ERRANDS: dict[str, Callable[[OpenWallet, Neighbours], object]] = {
    "/v1/grants": lambda wallet, near: grant(wallet, near.agency.ask(), Choice()),
    "/requests/": lambda wallet, near: grant(wallet, near.agency.ask(), Choice()),
    "/responses/": lambda wallet, near: decline(wallet, near.agency.ask()),
    "/events": lambda wallet, near: look_back(wallet, "1"),
    "/tile/entries/": lambda wallet, near: search_hidden(wallet, "1"),
    "/tile/0/": lambda wallet, near: search_hidden(wallet, "1"),
    "/v1/revocations": lambda wallet, near: stop_grant(wallet, "1"),
    "/.well-known/openid-credential-issuer": lambda wallet, near: receive(wallet, near.issuer.link(), "493817"),
    "/.well-known/oauth-": lambda wallet, near: receive(wallet, near.issuer.link(), "493817"),
    "/token": lambda wallet, near: receive(wallet, near.issuer.link(), "493817"),
    "/nonce": lambda wallet, near: receive(wallet, near.issuer.link(), "493817"),
    "/credential": lambda wallet, near: receive(wallet, near.issuer.link(), "493817"),
    "/offers/": lambda wallet, near: receive(wallet, near.issuer.reference(), "493817"),
}


@pytest.mark.parametrize("place", list(ERRANDS))
def test_hostile_bytes_of_any_peer_are_a_clean_refusal(
    wallet: OpenWallet, neighbours: Neighbours, place: str, garbling: Callable[[str, bytes, str], None]
) -> None:
    grant(wallet, neighbours.agency.ask(), Choice())
    neighbours.log.read(neighbours.log.grants[0].slot, "postcode")
    for body in HOSTILE:
        garbling(place, body, "application/json")
        try:
            ERRANDS[place](wallet, neighbours)
        except RegieError:
            continue
    assert wallet.grant("1").state == "active"


@pytest.mark.parametrize(
    "arguments", [("inspect", "-"), ("receive", "-"), ("revoke", "--code", "-"), ("grant", "-")]
)
def test_stdin_that_is_no_text_is_wrong_use(
    holder: Resident, arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "passphrase").write_bytes(PASSPHRASE)
    monkeypatch.setenv("REGIE_PASSPHRASE_FILE", str(tmp_path / "passphrase"))
    result = CliRunner().invoke(
        root, ["wallet", arguments[0], "--home", str(holder.home.path), *arguments[1:]], input=b"\xff\xfe\n"
    )
    assert result.exit_code == 2, result.exception
    assert "UTF-8" in result.stderr
