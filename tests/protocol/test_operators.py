"""Shares dealt over operators: k of them open, k - 1 learn nothing, and who lies is told apart (section 4)."""

import hashlib
from collections.abc import Iterator
from itertools import combinations
from math import comb
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.canonical import b64u_decode, b64u_encode, sha256, to_builtins
from protocol.consent_api import (
    DepositRequest,
    GrantRequest,
    ReleaseAnswer,
    parse_body,
    parse_grant_request,
)
from protocol.errors import Rejected
from protocol.narrowing import check_listed_operators, check_refresh
from protocol.operators import (
    Pieces,
    combine,
    deal,
    held_by,
    open_pieces,
    open_pieces_release,
    seal_pieces,
    seal_pieces_release,
    subsets,
)
from protocol.presentation import claim_share, seal_deposit, share_digest, xor
from protocol.revocation_code import view_hash
from protocol.terms import MAX_CLAIMS, Claim, Operators, parse_terms
from protocol.trust_list import LogOperators
from tests.protocol import builders, dealing, granting
from tests.protocol.dealing import KEYS, NAMES, Dealt, dealt
from tests.protocol.granting import HUISNUMMER, POSTCODE, REPLY, SURNAME, change, outcome
from tests.protocol.spoiling import dump

SHAPES = [(k, n) for n in range(1, 6) for k in range(1, n + 1)]
each_shape = pytest.mark.parametrize(("needed", "count"), SHAPES)
TWO, THREE = dealt(2, 3), dealt(3, 5)
DIGEST = sha256(b"a claim")
shapes = st.sampled_from(SHAPES)


def naive_share(pieces: Pieces, digest: bytes) -> bytes:
    """Section 4 as it is written, without this project's helpers."""
    total = 0
    for piece in pieces:
        padded = piece.ljust(64, b"\0")
        inner = hashlib.sha256(bytes(x ^ 0x36 for x in padded) + b"regie/claim/v1" + digest).digest()
        outer = hashlib.sha256(bytes(x ^ 0x5C for x in padded) + inner).digest()
        total ^= int.from_bytes(outer, "big")
    return total.to_bytes(32, "big")


def made(pieces: Pieces, count: int = 3) -> list[Claim]:
    """Claims whose shares these pieces make."""
    digests = [sha256(b"claim", bytes([number])) for number in range(count)]
    return [
        Claim("adres", builders.ADRES, ["postcode"], b64u_encode(d), 256, b64u_encode(share_digest(s)))
        for d, s in ((d, naive_share(pieces, d)) for d in digests)
    ]


def given_by(
    operators: Operators, pieces: Pieces, claims: list[Claim], names: Any
) -> dict[str, list[tuple[bytes, ...]]]:
    """What honest operators release, opened."""
    return {
        name: [
            tuple(claim_share(pieces[number], b64u_decode(claim.digest)) for number in held_by(operators, name))
            for claim in claims
        ]
        for name in names
    }


# Dealing.


@each_shape
def test_each_piece_is_kept_from_one_set_of_operators_that_are_one_too_few(needed: int, count: int) -> None:
    made = deal(needed, NAMES[:count], builders.random_of("x"))
    without = subsets(count, needed)
    assert len(made.pieces) == len(set(made.pieces)) == len(without) == comb(count, needed - 1)
    assert without == sorted(without)
    for number, kept_from in enumerate(without):
        holders = {p for p, name in enumerate(made.operators.members) if number in held_by(made.operators, name)}
        assert holders == set(range(count)) - set(kept_from)
    assert made.operators.pieces == [b64u_encode(sha256(b"regie/piece/v1", piece)) for piece in made.pieces]


def test_two_of_three_and_three_of_five_are_dealt_as_the_protocol_says() -> None:
    assert subsets(3, 2) == [(0,), (1,), (2,)]
    assert [held_by(TWO.dealing.operators, name) for name in TWO.names] == [[1, 2], [0, 2], [0, 1]]
    assert subsets(5, 3)[:4] == [(0, 1), (0, 2), (0, 3), (0, 4)]
    assert held_by(THREE.dealing.operators, THREE.names[0]) == [4, 5, 6, 7, 8, 9]


@pytest.mark.parametrize("needed", [0, 4])
def test_wallet_cannot_deal_so_that_nobody_could_open(needed: int) -> None:
    with pytest.raises(ValueError, match="needed"):
        deal(needed, NAMES[:3], builders.random_of("x"))


def test_share_of_one_piece_is_the_share_that_a_log_would_hold() -> None:
    piece = sha256(b"b")
    assert claim_share(piece, DIGEST) == naive_share((piece,), DIGEST)


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=10))
def test_share_is_the_xor_of_what_each_piece_gives(pieces: list[bytes]) -> None:
    assert claim_share(b"".join(pieces), DIGEST) == naive_share(tuple(pieces), DIGEST)


# Any k open; k - 1 learn nothing.


@settings(max_examples=60, deadline=None)
@given(shapes, st.data())
def test_any_operators_that_are_enough_open(shape: tuple[int, int], data: st.DataObject) -> None:
    needed, count = shape
    cards = deal(needed, NAMES[:count], lambda size: data.draw(st.binary(min_size=size, max_size=size)))
    if len(set(cards.pieces)) < len(cards.pieces):
        return
    names = data.draw(st.lists(st.sampled_from(NAMES[:count]), min_size=needed, max_size=count, unique=True))
    claims = made(cards.pieces)
    found = combine(cards.operators, claims, given_by(cards.operators, cards.pieces, claims, names))
    assert found is not None
    assert list(found.shares) == [naive_share(cards.pieces, b64u_decode(claim.digest)) for claim in claims]
    assert (set(found.agreed), found.odd, found.liars) == (set(names), (), ())


@each_shape
def test_one_operator_too_few_lacks_one_piece_of_every_share(needed: int, count: int) -> None:
    """Any share at all is possible with the pieces of k - 1: for each there is one value of the missing piece."""
    cards = deal(needed, NAMES[:count], builders.random_of("k"))
    claims = made(cards.pieces)
    for names in combinations(NAMES[:count], needed - 1):
        known = {number for name in names for number in held_by(cards.operators, name)}
        missing = set(range(len(cards.pieces))) - known
        assert len(missing) == 1
        given = given_by(cards.operators, cards.pieces, claims, names)
        assert combine(cards.operators, claims, given) is None
        rest = xor(*(claim_share(cards.pieces[number], DIGEST) for number in known), bytes(32))
        wanted = sha256(b"any share one likes")
        assert xor(rest, xor(rest, wanted)) == wanted  # what the missing piece would have to give for it


@each_shape
def test_no_operators_that_are_too_few_combine(needed: int, count: int) -> None:
    cards = deal(needed, NAMES[:count], builders.random_of("k"))
    claims = made(cards.pieces, 1)
    for size in range(needed):
        for names in combinations(NAMES[:count], size):
            assert combine(cards.operators, claims, given_by(cards.operators, cards.pieces, claims, names)) is None


def test_nothing_combines_from_two_grants() -> None:
    one, other = dealt(2, 3, seed="one"), dealt(2, 3, seed="other")
    claims = list(one.town.terms.claims)
    given = {
        **given_by(one.dealing.operators, one.dealing.pieces, claims, NAMES[:1]),
        **given_by(other.dealing.operators, other.dealing.pieces, claims, NAMES[1:2]),
    }
    assert combine(one.dealing.operators, claims, given) is None


def test_release_for_one_attribute_opens_no_other() -> None:
    """All operators release the postal code; with all of it together the house number stays closed."""
    claims = THREE.claims(THREE.town.make_read(POSTCODE))
    asked = combine(
        THREE.dealing.operators,
        claims,
        given_by(THREE.dealing.operators, THREE.dealing.pieces, claims, THREE.names),
    )
    assert asked is not None
    other = next(claim for claim in THREE.town.terms.claims if claim.path == ["huisnummer"])
    assert share_digest(xor(*asked.shares)) != b64u_decode(other.share)
    assert all(share_digest(share) != b64u_decode(other.share) for share in asked.shares)


# Liars.


def spoilt(row: list[tuple[bytes, ...]], claim: int = 0, piece: int = 0) -> list[tuple[bytes, ...]]:
    """One piece of one claim with one bit turned."""
    pieces = list(row[claim])
    pieces[piece] = xor(pieces[piece], bytes(31) + b"\1")
    return [*row[:claim], tuple(pieces), *row[claim + 1 :]]


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([(2, 3), (3, 5), (2, 4), (3, 4)]), st.data())
def test_wrong_piece_is_found_and_its_giver_named(shape: tuple[int, int], data: st.DataObject) -> None:
    needed, count = shape
    cards = deal(needed, NAMES[:count], builders.random_of("liar"))
    claims = made(cards.pieces)
    given = given_by(cards.operators, cards.pieces, claims, NAMES[:count])
    liar = data.draw(st.sampled_from(NAMES[:count]))
    claim = data.draw(st.integers(0, len(claims) - 1))
    piece = data.draw(st.integers(0, len(given[liar][0]) - 1))
    found = combine(cards.operators, claims, {**given, liar: spoilt(given[liar], claim, piece)})
    assert found is not None
    assert list(found.shares) == [naive_share(cards.pieces, b64u_decode(c.digest)) for c in claims]
    assert found.odd == (liar,)
    assert found.liars == ((liar,) if count - 1 >= 2 * needed - 2 else ())


def test_attack_liar_cancels_its_own_lie() -> None:
    """The same bit turned in two pieces leaves their XOR right; another holder of one of them gives it away."""
    claims = made(TWO.dealing.pieces)
    given = given_by(TWO.dealing.operators, TWO.dealing.pieces, claims, TWO.names)
    liar = TWO.names[0]
    lie = spoilt(spoilt(given[liar], 0, 0), 0, 1)
    found = combine(TWO.dealing.operators, claims, {**given, liar: lie})
    assert found is not None
    assert found.liars == (liar,)
    assert combine(TWO.dealing.operators, claims, {liar: lie, TWO.names[1]: given[TWO.names[1]]}) is None


def test_attack_two_liars_make_an_honest_operator_look_odd() -> None:
    """Two of three who are needed agree on a lie that cancels out: the read is right, and nobody is accused."""
    operators, pieces = THREE.dealing.operators, THREE.dealing.pieces
    claims = made(pieces)
    given = given_by(operators, pieces, claims, THREE.names)
    liars, honest, framed = THREE.names[:2], THREE.names[2], THREE.names[3]
    turned = {
        number
        for number, without in enumerate(subsets(5, 3))
        if 2 in without and not {0, 1} & set(without)  # (2, 3) and (2, 4): of these three only the liars hold them
    }
    assert len(turned) == 2
    for name in liars:
        for place, number in enumerate(held_by(operators, name)):
            if number in turned:
                given[name] = spoilt(given[name], 0, place)
    found = combine(operators, claims, {name: given[name] for name in (*liars, honest, framed)})
    assert found is not None
    assert list(found.shares) == [naive_share(pieces, b64u_decode(c.digest)) for c in claims]
    assert found.odd == (framed,)
    assert found.liars == ()


def test_wallet_that_dealt_other_pieces_than_its_terms_name_is_told_from_lying_operators() -> None:
    cards = deal(2, NAMES[:3], builders.random_of("wallet"))
    claims = made(deal(2, NAMES[:3], builders.random_of("something else")).pieces)
    given = given_by(cards.operators, cards.pieces, claims, NAMES[:3])
    with pytest.raises(Rejected, match="bad_dealing"):
        combine(cards.operators, claims, given)
    assert combine(cards.operators, claims, {name: given[name] for name in NAMES[:2]}) is None
    lie = {**given, NAMES[0]: spoilt(given[NAMES[0]])}
    assert combine(cards.operators, claims, lie) is None  # they do not agree: nobody can tell who


# Deposits.


@pytest.mark.parametrize("at", [TWO, THREE], ids=["2 of 3", "3 of 5"])
def test_operator_opens_its_own_deposit(at: Dealt) -> None:
    for name in at.names:
        pieces = at.dealing.pieces_of(name)
        sealed = seal_pieces(KEYS[name].public_bytes(), at.town.terms, name, pieces)
        assert open_pieces(KEYS[name], at.town.terms, name, sealed) == pieces


def deposits() -> Iterator[tuple[str, bytes]]:
    """Deposits that the first operator must not take."""
    terms, own, other = TWO.town.terms, NAMES[0], NAMES[1]
    pieces, public = TWO.dealing.pieces_of(own), KEYS[own].public_bytes()
    yield "other operator's pieces", seal_pieces(public, terms, own, TWO.dealing.pieces_of(other))
    yield "made for another operator", seal_pieces(public, terms, other, pieces)
    yield "other key", seal_pieces(KEYS[other].public_bytes(), terms, own, pieces)
    yield "other terms", seal_pieces(public, change(terms, version=2), own, pieces)
    yield "one piece too few", seal_pieces(public, terms, own, pieces[:1])
    yield "one piece too many", seal_pieces(public, terms, own, (*pieces, pieces[0]))
    yield "pieces in another order", seal_pieces(public, terms, own, pieces[::-1])
    yield "half a piece", seal_pieces(public, terms, own, (pieces[0], pieces[1][:16]))
    yield "not the pieces promised", seal_pieces(public, terms, own, (pieces[0], sha256(b"x")))
    yield "what a log would get", seal_deposit(public, terms, TWO.dealing.b)


@pytest.mark.parametrize("sealed", [pytest.param(sealed, id=why) for why, sealed in deposits()])
def test_operator_refuses_a_deposit_that_could_not_open_what_was_promised(sealed: bytes) -> None:
    assert outcome(open_pieces, KEYS[NAMES[0]], TWO.town.terms, NAMES[0], sealed) == "bad_deposit"


def test_operator_refuses_a_deposit_of_terms_that_do_not_name_it() -> None:
    sealed = seal_pieces(KEYS[NAMES[3]].public_bytes(), TWO.town.terms, NAMES[3], (sha256(b"x"),))
    assert outcome(open_pieces, KEYS[NAMES[3]], TWO.town.terms, NAMES[3], sealed) == "bad_terms"
    plain = granting.terms()
    assert outcome(open_pieces, KEYS[NAMES[0]], plain, NAMES[0], sealed) == "bad_terms"


# Releases.


BOUND: dict[str, Any] = {"lock": bytes(32), "read_id": bytes(16), "index": 7, "body_hash": sha256(b"note")}


@pytest.mark.parametrize(
    "changes",
    [{"lock": sha256(b"x")}, {"read_id": b"r" * 16}, {"index": 8}, {"body_hash": sha256(b"y")}],
    ids=["lock", "READ", "entry", "checkpoint"],
)
def test_release_is_bound_to_its_read_and_checkpoint(changes: dict[str, Any]) -> None:
    own, operators = NAMES[0], TWO.dealing.operators
    claims, pieces = list(TWO.town.terms.claims), TWO.dealing.pieces_of(own)
    sealed = seal_pieces_release(REPLY.public_bytes(), claims, pieces, own, **BOUND)
    opened = open_pieces_release(REPLY, sealed, operators, own, len(claims), **BOUND)
    assert opened == given_by(operators, TWO.dealing.pieces, claims, [own])[own]
    wrong = {**BOUND, **changes}
    assert outcome(open_pieces_release, REPLY, sealed, operators, own, len(claims), **wrong) == "bad_release"
    assert outcome(open_pieces_release, REPLY, sealed, operators, NAMES[1], len(claims), **BOUND) == "bad_release"
    for count in (len(claims) - 1, len(claims) + 1):
        assert outcome(open_pieces_release, REPLY, sealed, operators, own, count, **BOUND) == "bad_release"
    with pytest.raises(ValueError, match="32 bytes"):
        seal_pieces_release(REPLY.public_bytes(), claims, pieces, own, **{**BOUND, "lock": b"short"})


# A whole read.


@pytest.mark.parametrize("at", [TWO, THREE], ids=["2 of 3", "3 of 5"])
def test_agency_reads_with_any_operators_that_are_enough(at: Dealt) -> None:
    for names in combinations(at.names, at.dealing.operators.needed):
        reading = at.open_with(names, POSTCODE, HUISNUMMER, SURNAME)
        assert (reading.values[POSTCODE], reading.values[SURNAME]) == ("1234AB", "Voorbeeld")
        assert (reading.combined.agreed, reading.combined.odd) == (names, ())


@pytest.mark.parametrize("at", [TWO, THREE], ids=["2 of 3", "3 of 5"])
def test_agency_opens_nothing_with_one_operator_too_few(at: Dealt) -> None:
    for names in combinations(at.names, at.dealing.operators.needed - 1):
        with pytest.raises(Rejected, match="share_mismatch"):
            at.open_with(names)


def test_lying_operator_is_named_and_the_read_is_right() -> None:
    token, released, standing = TWO.read()
    pieces = {name: TWO.release(name, token, released, standing) for name in TWO.names}
    wrong = (sha256(b"wrong"), *TWO.dealing.pieces_of(NAMES[2])[1:])
    for lie in (TWO.release(NAMES[2], token, released, standing, wrong), pieces[NAMES[1]], "AAAA", "?"):
        reading = TWO.open(token, released, standing, {**pieces, NAMES[2]: lie})
        assert reading.values[POSTCODE] == "1234AB"
        assert reading.combined.liars == (NAMES[2],)


def test_log_that_releases_shares_itself_does_not_serve_when_terms_name_operators() -> None:
    """Operators are what the terms say: nobody else's shares are looked at."""
    token = TWO.town.make_read(POSTCODE)
    released, standing = TWO.town.release(token)  # a log that somehow has all pieces
    assert released.sealed is not None
    with pytest.raises(Rejected, match="share_mismatch"):
        TWO.open(token, released, standing, {})


def test_log_that_holds_the_share_must_release_it() -> None:
    at = granting.town()
    token = at.make_read(POSTCODE)
    released, standing = at.release(token)
    assert outcome(at.open, token, change(released, sealed=None), standing) == "bad_release"


def test_operator_that_is_no_member_adds_nothing() -> None:
    token, released, standing = TWO.read()
    pieces = {NAMES[0]: TWO.release(NAMES[0], token, released, standing)}
    given = {NAMES[3]: [(sha256(b"x"),) for _ in TWO.claims(token)]}
    assert combine(TWO.dealing.operators, TWO.claims(token), given) is None
    with pytest.raises(Rejected, match="share_mismatch"):
        TWO.open(token, released, standing, pieces)


# Terms.


def with_operators(**changes: Any) -> Any:
    """The terms of 2 of 3 with other operators."""
    terms = TWO.town.terms
    return to_builtins(change(terms, operators=change(terms.operators, **changes)))


@pytest.mark.parametrize(
    "changes",
    [
        {"needed": 0},
        {"needed": 4},
        {"needed": 6},
        {"needed": 1},
        {"needed": 3, "pieces": [b64u_encode(sha256(bytes([n]))) for n in range(2)]},
        {"members": []},
        {"members": [NAMES[0], NAMES[0], NAMES[1]]},
        {"members": [*NAMES, "operator5.voorbeeld.example"]},
        {"members": [*NAMES[:2], "with space"]},
        {"pieces": []},
        {"pieces": [b64u_encode(sha256(b"p"))] * 3},
        {"pieces": ["short"] * 3},
    ],
)
def test_terms_with_operators_that_do_not_fit_are_refused(changes: dict[str, Any]) -> None:
    parse_terms(with_operators())
    with pytest.raises(Rejected, match="bad_terms"):
        parse_terms(with_operators(**changes))


def test_terms_without_operators_have_no_such_member() -> None:
    assert b"operators" not in dump(to_builtins(granting.terms()))


@pytest.mark.parametrize(
    "listed",
    [
        None,
        LogOperators(needed=1, members=list(NAMES[:3])),
        LogOperators(needed=2, members=list(NAMES[:2])),
        LogOperators(needed=2, members=[NAMES[1], NAMES[0], NAMES[2]]),
        LogOperators(needed=2, members=list(NAMES[1:4])),
    ],
)
def test_shares_are_dealt_as_the_trust_list_says(listed: LogOperators | None) -> None:
    check_listed_operators(TWO.town.terms, LogOperators(needed=2, members=list(NAMES[:3])))
    assert outcome(check_listed_operators, TWO.town.terms, listed) == "bad_terms"


def test_log_with_operators_takes_no_terms_without() -> None:
    check_listed_operators(granting.terms(), None)
    listed = LogOperators(needed=1, members=list(NAMES[:1]))
    assert outcome(check_listed_operators, granting.terms(), listed) == "bad_terms"


def test_agency_accepts_a_grant_only_as_the_trust_list_deals() -> None:
    assert TWO.town.accept(trust=TWO.trust)
    assert outcome(TWO.town.accept, trust=dealing.trust(2, 4)) == "bad_terms"
    assert outcome(TWO.town.accept) == "bad_terms"
    assert outcome(granting.town().accept, trust=TWO.trust) == "bad_terms"


def test_refresh_deals_anew_and_never_to_fewer() -> None:
    old = TWO.town.terms
    lock = b64u_encode(sha256(b"next lock"))

    def refreshed(operators: Operators | None) -> Any:
        return change(old, version=2, lock=lock, operators=operators)

    fresh = deal(2, NAMES[:3], builders.random_of("fresh")).operators
    check_refresh(old, refreshed(fresh))
    check_refresh(old, refreshed(deal(3, NAMES, builders.random_of("fresh")).operators))
    check_refresh(granting.terms(), change(granting.terms(), version=2, lock=lock, operators=fresh))
    again = change(fresh, pieces=[old.operators.pieces[0], *fresh.pieces[1:]])
    one = deal(1, NAMES[:3], builders.random_of("fresh")).operators
    for wider in (None, old.operators, again, one):
        assert outcome(check_refresh, old, refreshed(wider)) == "widened"


# Messages.


def grant_request(terms: Any, deposit: bytes | None) -> bytes:
    request = GrantRequest(
        terms=terms,
        opening_key=b64u_encode(granting.OPENING_KEY),
        view_hash=b64u_encode(view_hash(granting.CODE)),
        deposit=None if deposit is None else b64u_encode(deposit),
        ticket=granting.TICKET,
    )
    return dump(to_builtins(request))


def test_grant_comes_with_a_deposit_exactly_when_its_terms_name_no_operators() -> None:
    key, plain, dealt_terms = builders.LOG_DEPOSIT_KEY.public_bytes(), granting.terms(), TWO.town.terms
    parse_grant_request(grant_request(plain, seal_deposit(key, plain, granting.B)))
    parse_grant_request(grant_request(dealt_terms, None))
    with pytest.raises(Rejected, match="bad_form"):
        parse_grant_request(grant_request(plain, None))
    with pytest.raises(Rejected, match="bad_form"):
        parse_grant_request(grant_request(dealt_terms, seal_deposit(key, dealt_terms, granting.B)))


def test_largest_deposit_and_release_fit_their_messages() -> None:
    cards, own = deal(3, NAMES, builders.random_of("many")), NAMES[0]
    terms = change(granting.terms(), operators=cards.operators)
    sealed = seal_pieces(KEYS[own].public_bytes(), terms, own, cards.pieces_of(own))
    request = DepositRequest(terms, 1, b64u_encode(bytes(32)), "proof", b64u_encode(sealed))
    assert parse_body(dump(to_builtins(request)), DepositRequest) == request
    claims = made(cards.pieces, MAX_CLAIMS)
    release = seal_pieces_release(REPLY.public_bytes(), claims, cards.pieces_of(own), own, **BOUND)
    answer = ReleaseAnswer(b64u_encode(release))
    assert parse_body(dump(to_builtins(answer)), ReleaseAnswer) == answer
