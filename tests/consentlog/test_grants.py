"""Granting and refreshing: what the log takes, what it refuses, and that a refusal changes nothing."""

import os
from typing import Any

import msgspec
import pytest

from protocol.canonical import b64u_decode, b64u_encode, canonical_bytes, sha256
from protocol.consent_api import GrantAnswer
from protocol.leaf import Grant, LeafType, Revocation, commitment, parse_leaf
from protocol.note import parse_vkey
from protocol.policy import parse_policy, satisfied
from protocol.presentation import grant_opening, seal_deposit
from protocol.reading import Ticket, sign_ticket
from protocol.receipt import parse_tlog_proof, verify_tlog_proof
from protocol.terms import Context
from tests.consentlog.peers import code_of
from tests.consentlog.small_town import Given, SmallTown
from tests.protocol.builders import AGENCY_ID, DAY, NOW, STRANGER
from tests.protocol.granting import POSTCODE


def change(request: Any, **members: Any) -> Any:
    return msgspec.structs.replace(request, **members)


def post(town: SmallTown, request: Any) -> Any:
    return town.send("POST", "/v1/grants", request)


def test_wallet_gets_slot_index_and_a_proof_under_the_policy(town: SmallTown) -> None:
    first, second = town.grant(), town.grant()
    assert (first.answer.slot, second.answer.slot) == (0, 1)
    leaf = town.leaves()[second.answer.index]
    parsed = parse_leaf(leaf)
    assert isinstance(parsed, Grant)
    key = b64u_decode(second.request.opening_key)
    opened = commitment(key, LeafType.GRANT, grant_opening(second.terms))
    assert (parsed.slot, parsed.commit) == (1, opened)
    proof = parse_tlog_proof(second.answer.proof)
    log_key = parse_vkey(town.entry.vkey)
    checkpoint = satisfied(parse_policy(town.policy), proof.checkpoint, NOW, log_keys=(log_key,)).checkpoint
    assert verify_tlog_proof(proof, leaf, checkpoint).index == second.answer.index
    assert town.replayed().ends_in_head


def test_byte_equal_request_gets_the_same_grant(town: SmallTown) -> None:
    given = town.grant()
    size = town.node.tree.size
    again = town.parsed(post(town, given.request), GrantAnswer)
    assert (again.index, again.slot) == (given.answer.index, given.answer.slot)
    assert town.node.tree.size == size


def test_byte_equal_request_gets_its_grant_after_ticket_and_grant_have_ended(town: SmallTown) -> None:
    given = town.grant(not_after=NOW + 7200)
    town.revoke(given)
    town.advance(10_000)
    again = town.parsed(post(town, given.request), GrantAnswer)
    assert again.index == given.answer.index


def test_another_request_for_a_lock_is_refused(town: SmallTown) -> None:
    given = town.grant()
    _, _, other = town.grant_request(given.code)
    assert code_of(post(town, other)) == (409, "lock_used")


@pytest.mark.parametrize(
    "terms",
    [
        {"log": "other.example/1"},
        {"not_before": NOW + 1},
        {"not_before": NOW - 10, "not_after": NOW},
        {"version": 2},
    ],
    ids=lambda terms: "-".join(terms),
)
def test_log_refuses_terms_for_another_log_time_or_version(town: SmallTown, terms: dict[str, Any]) -> None:
    _, _, request = town.grant_request(**terms)
    before = town.node.tree.size
    assert code_of(post(town, request)) == (400, "bad_terms")
    assert town.node.tree.size == before


def test_log_refuses_terms_that_break_their_own_rules(town: SmallTown) -> None:
    _, _, request = town.grant_request()
    bare = change(request, terms=change(request.terms, claims=request.terms.claims[:1]))
    assert code_of(post(town, bare)) == (400, "flags_missing")


def test_tag_key_of_another_grant_is_refused(town: SmallTown) -> None:
    given = town.grant()
    _, _, request = town.grant_request(tag_key=given.terms.tag_key)
    assert code_of(post(town, request)) == (400, "bad_terms")


def test_ticket_makes_one_grant(town: SmallTown) -> None:
    given = town.grant()
    _, _, request = town.grant_request()
    assert code_of(post(town, change(request, ticket=given.request.ticket))) == (403, "bad_ticket")


@pytest.mark.parametrize(
    "members",
    [
        {"iss": "00000099000000002000"},
        {"aud": "other.example/1"},
        {"exp": NOW},
        {"exp": NOW + 3601},
        {"service": "uitkering"},
        {"service_version": 2},
    ],
    ids=lambda members: "-".join(members),
)
def test_ticket_for_something_else_is_refused(town: SmallTown, members: dict[str, Any]) -> None:
    _, _, request = town.grant_request()
    assert code_of(post(town, change(request, ticket=town.ticket(**members)))) == (403, "bad_ticket")


def test_ticket_is_good_until_its_last_second(town: SmallTown) -> None:
    _, _, request = town.grant_request()
    assert post(town, change(request, ticket=town.ticket(exp=NOW + 1))).status_code == 201


def test_ticket_of_an_agency_that_nobody_listed_is_refused(town: SmallTown) -> None:
    _, _, request = town.grant_request(recipient="00000099000000009999")
    assert code_of(post(town, request)) == (403, "bad_ticket")


def test_refused_ticket_is_not_spent(town: SmallTown) -> None:
    _, _, request = town.grant_request()
    wrong = change(request, deposit=b64u_encode(seal_deposit(deposit_key(town), request.terms, os.urandom(32))))
    assert code_of(post(town, wrong)) == (400, "bad_deposit")
    assert post(town, request).status_code == 201


def deposit_key(town: SmallTown) -> bytes:
    return b64u_decode(town.entry.deposit_key)


def test_deposit_for_other_terms_is_refused(town: SmallTown) -> None:
    _, _, request = town.grant_request()
    _, _, other = town.grant_request()
    assert code_of(post(town, change(request, deposit=other.deposit))) == (400, "bad_deposit")


@pytest.mark.parametrize("both", [True, False])
def test_request_has_a_ticket_or_a_secret(town: SmallTown, both: bool) -> None:
    _, _, request = town.grant_request()
    r = b64u_encode(bytes(32))
    broken = change(request, replaced_r=r) if both else change(request, ticket=None)
    assert code_of(post(town, broken)) == (400, "bad_form")


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"terms": {}}', b"\xff", b'{"a":1,"a":2}'])
def test_malformed_bodies_are_refused(town: SmallTown, body: bytes) -> None:
    response = town.send("POST", "/v1/grants", data=body, content_type="application/json")
    assert response.status_code == 400


def test_body_of_another_media_type_or_size_is_refused(town: SmallTown) -> None:
    _, _, request = town.grant_request()
    body = canonical_bytes(request)
    assert code_of(town.send("POST", "/v1/grants", data=body, content_type="text/plain"))[0] == 415
    large = body + b" " * (64 * 1024)
    assert code_of(town.send("POST", "/v1/grants", data=large, content_type="application/json"))[0] == 413


# Refreshing.


def refreshed(town: SmallTown, given: Given, **changes: Any) -> Given:
    b, request = town.refresh_request(given, **changes)
    return Given(given.code, b, request, town.parsed(post(town, request), GrantAnswer))


def test_refresh_revokes_and_grants_in_one_transaction(town: SmallTown) -> None:
    given = town.grant()
    town.clock.time += 60
    second = refreshed(town, given)
    leaves = [parse_leaf(leaf) for leaf in town.leaves()]
    at = second.answer.index
    assert isinstance(leaves[at], Grant)
    assert isinstance(leaves[at - 1], Revocation)
    assert leaves[at - 1].slot == given.answer.slot
    assert code_of(town.post_read(town.make_read(given))) == (410, "revoked")
    sent, answer = town.read(second)
    assert len(town.shares(sent, answer)) == len(sent.read.claims)


def test_refresh_is_admitted_once_a_day(town: SmallTown) -> None:
    second = refreshed(town, town.grant())  # the first version may be renewed at any time
    town.advance(DAY - 1)
    _, request = town.refresh_request(second)
    assert code_of(post(town, request)) == (429, "too_soon")
    town.clock.time += 1
    _, request = town.refresh_request(second)
    assert post(town, request).status_code == 201


def test_refresh_byte_equal_gets_the_same_answer(town: SmallTown) -> None:
    given = town.grant()
    second = refreshed(town, given)
    again = town.parsed(post(town, second.request), GrantAnswer)
    assert again.index == second.answer.index


@pytest.mark.parametrize(
    "terms",
    [
        {"not_after": NOW + 201 * DAY},
        {"retention": "P2Y"},
        {"version": 3},
        {"max_reads": 10},
        {"tag_key": b64u_encode(sha256(b"another"))},
        {"recipient": AGENCY_ID[:-1] + "1"},
        {"context": Context(days=[1])},
        {"request_hash": b64u_encode(sha256(b"another"))},
    ],
    ids=lambda terms: "-".join(terms),
)
def test_refresh_that_widens_or_changes_is_refused(town: SmallTown, terms: dict[str, Any]) -> None:
    given = town.grant(max_reads=5)
    _, request = town.refresh_request(given, **terms)
    size = town.node.tree.size
    assert code_of(post(town, request)) == (403, "widened")
    assert town.node.tree.size == size
    assert town.read(given)[1].n == 0


def test_refresh_for_another_reader_is_refused(town: SmallTown) -> None:
    given = town.grant()
    _, request = town.refresh_request(given)
    stolen = change(request, view_hash=b64u_encode(sha256(b"somebody else's view")))
    assert code_of(post(town, stolen)) == (403, "widened")


def test_refresh_of_a_revoked_expired_or_unknown_grant_is_refused(town: SmallTown) -> None:
    given = town.grant()
    _, request = town.refresh_request(given)
    town.revoke(given)
    assert code_of(post(town, request)) == (410, "revoked")
    unknown = change(request, replaced_r=b64u_encode(os.urandom(32)))
    assert code_of(post(town, unknown)) == (410, "revoked")
    short = town.grant(not_after=NOW + 100)
    town.advance(100)
    _, late = town.refresh_request(short, not_before=NOW, not_after=NOW + 100)
    assert code_of(post(town, late)) == (410, "revoked")


def test_reads_are_counted_over_versions(town: SmallTown) -> None:
    given = town.grant(max_reads=3)
    assert [town.read(given)[1].n, town.read(given)[1].n] == [0, 1]
    second = refreshed(town, given)
    assert town.read(second, POSTCODE)[1].n == 2
    assert code_of(town.post_read(town.make_read(second))) == (403, "reads_spent")


def test_stranger_cannot_sign_tickets(town: SmallTown) -> None:
    _, _, request = town.grant_request()
    ticket = Ticket(AGENCY_ID, town.entry.origin, b64u_encode(os.urandom(16)), NOW + 60, "parkeervergunning", 1)
    forged = sign_ticket(ticket, STRANGER.key, STRANGER.x5c)
    assert code_of(post(town, change(request, ticket=forged))) == (403, "bad_ticket")
