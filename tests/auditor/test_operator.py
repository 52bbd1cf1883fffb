"""An operator releases its pieces for an entry that it has seen itself, and for nothing else (section 8)."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from click.testing import CliRunner

from auditor import cli, shares
from auditor.cli_rotate import finish_deposit_key
from auditor.config import deposit_keys, epochs_of, holds_shares, newest_deposit_key
from auditor.web import add_custody
from protocol.canonical import b64u_decode, b64u_encode, canonical_bytes, parse_struct, sha256, to_builtins
from protocol.errors import Rejected, Unavailable
from protocol.leaf import LeafType, commitment, event_tag, lock_of
from protocol.leaf import Read as ReadLeaf
from protocol.operators import seal_pieces
from protocol.presentation import claim_share
from protocol.reading import NUMBERS_AHEAD, sign_read
from protocol.receipt import make_tlog_proof
from protocol.revocation_code import revocation_secret
from protocol.seal import parse_kem_public
from protocol.terms import Context
from protocol.trust_list import RetiredKey, TrustedWitness
from service.app import make_app
from service.database import immediate
from service.epochs import EPOCH_SECONDS, turn_of
from service.home import Home
from service.trust import LISTED_SECONDS
from tests.auditor.custody import NAME, Operator
from tests.protocol import builders, dealing, granting
from tests.protocol.builders import AGENCY, DAY, LOG_ORIGIN, NOW
from tests.protocol.dealing import KEYS, NAMES, dealt
from tests.protocol.granting import HUISNUMMER, POSTCODE, change
from wallet.records import Seen
from wallet.search import event_tags

R = revocation_secret(granting.CODE, 1)
OTHER = b64u_encode(sha256(b"other"))


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    """One of three, with its deposit."""
    found = Operator(tmp_path / "operator", dealt(2, 3))
    found.deposit()
    return found


def refuses(operator: Operator, request: Any, code: str, status: int | None = None) -> None:
    """The operator refuses, and nothing changed."""
    before = operator.rows()
    with pytest.raises(Rejected) as refusal:
        operator.custodian.release(request)
    assert refusal.value.code == code
    assert status in (None, refusal.value.status)
    assert operator.rows() == before


# Deposits.


def test_operator_takes_a_deposit_of_a_grant_that_it_has_seen(operator: Operator) -> None:
    ((lock, wrapped),), releases = operator.rows()
    assert lock == b64u_decode(operator.at.town.terms.lock)
    assert releases == []
    for piece in operator.at.dealing.pieces_of(NAME):
        assert piece not in operator.files()
    operator.deposit()
    assert operator.rows() == ([(lock, wrapped)], [])


def test_operator_catches_up_for_a_deposit_and_fetches_nothing_twice(operator: Operator) -> None:
    fetched = operator.fetched
    operator.deposit()
    operator.start()
    operator.deposit()
    assert operator.fetched == fetched


def refuses_deposit(operator: Operator, request: Any, code: str) -> None:
    before = operator.rows()
    with pytest.raises(Rejected) as refusal:
        operator.custodian.deposit(request)
    assert refusal.value.code == code
    assert operator.rows() == before


def test_operator_refuses_the_deposit_of_a_grant_of_another_log(operator: Operator) -> None:
    terms = change(operator.at.town.terms, log="log.elders.example")
    refuses_deposit(operator, operator.deposit_request(terms=terms), "wrong_log")


def test_operator_refuses_the_deposit_of_a_grant_that_has_ended(operator: Operator) -> None:
    operator.clock.time = operator.at.town.terms.not_after
    refuses_deposit(operator, operator.deposit_request(), "expired")


def test_attack_deposit_of_wider_terms_than_the_grant_in_the_log(operator: Operator) -> None:
    terms = change(operator.at.town.terms, max_reads=1000)
    sealed = seal_pieces(KEYS[NAME].public_bytes(), terms, NAME, operator.at.dealing.pieces_of(NAME))
    request = operator.deposit_request(terms=terms, deposit=b64u_encode(sealed))
    refuses_deposit(operator, request, "bad_inclusion")


def test_operator_refuses_a_deposit_whose_opening_key_or_slot_is_another(operator: Operator) -> None:
    refuses_deposit(operator, operator.deposit_request(opening_key=OTHER), "bad_inclusion")
    refuses_deposit(operator, operator.deposit_request(slot=0), "bad_inclusion")


def test_operator_refuses_a_deposit_whose_checkpoint_has_no_quorum(operator: Operator) -> None:
    body, _, signatures = operator.at.town.answer.sealed.proof.rpartition("\n\n")
    alone = f"{body}\n\n{signatures.splitlines()[0]}\n"
    refuses_deposit(operator, operator.deposit_request(proof=alone), "no_quorum")


def test_operator_refuses_a_deposit_that_is_not_the_pieces_promised(operator: Operator) -> None:
    terms = operator.at.town.terms
    sealed = seal_pieces(KEYS[NAME].public_bytes(), terms, NAME, operator.at.dealing.pieces_of(NAMES[1]))
    refuses_deposit(operator, operator.deposit_request(deposit=b64u_encode(sealed)), "bad_deposit")


def test_operator_refuses_a_deposit_of_terms_that_do_not_name_it(tmp_path: Path) -> None:
    stranger = Operator(tmp_path / "stranger", dealt(2, 3), name=NAMES[2])
    stranger.at = dealt(2, 2)
    sealed = seal_pieces(KEYS[NAMES[2]].public_bytes(), stranger.at.town.terms, NAMES[2], (sha256(b"x"),))
    town = stranger.at.town.answer.sealed
    request = change(
        Operator.deposit_request(Operator(tmp_path / "other", stranger.at, name=NAMES[1])),
        deposit=b64u_encode(sealed),
        proof=town.proof,
    )
    refuses_deposit(stranger, request, "bad_terms")


def test_attack_old_key_leads_the_replica_by_a_deposit(tmp_path: Path) -> None:
    """A retired key and witnesses of its time make a receipt of before; they do not say where the log is."""
    operator = Operator(tmp_path / "operator", dealt(2, 3))
    listed = operator.trust.logs[0]
    vkey = builders.vkey(LOG_ORIGIN, builders.ed25519("next key of the log"))
    retired = [RetiredKey(vkey=listed.vkey, until=NOW + 120)]
    operator.trust = change(operator.trust, logs=[change(listed, vkey=vkey, retired=retired)])
    refuses_deposit(operator, operator.deposit_request(), "unknown_key")
    assert (operator.fetched, operator.cosigner.replica.size) == (0, 0)
    operator.follow()
    operator.deposit()


def test_operator_refuses_the_deposit_of_a_grant_that_was_revoked(operator: Operator) -> None:
    town = operator.at.town
    town.log.revoke(town.grant_index, town.slot)
    operator.follow()
    assert operator.rows() == ([], [])
    refuses_deposit(operator, operator.deposit_request(), "revoked")


def test_operator_refuses_the_deposit_of_a_grant_whose_stop_it_keeps(operator: Operator) -> None:
    operator.cosigner.keep(R)
    refuses_deposit(operator, operator.deposit_request(), "revoked")


def test_attack_deposit_of_a_grant_on_a_fork(operator: Operator) -> None:
    """A quorum that lies, and a leaf at another place than this operator has replayed it at."""
    fork = dealt(2, 3)
    fork.town.log.leaves.insert(0, fork.town.log.leaves[0])
    note = fork.town.log.publish(NOW)
    index = fork.town.grant_index + 1
    proof = make_tlog_proof(index, fork.town.log.proof(index), note)
    refuses_deposit(operator, operator.deposit_request(proof=proof), "unknown_lock")


# Releases.


def test_operator_releases_its_pieces_for_an_entry_it_has_seen(operator: Operator) -> None:
    request = operator.release_request(POSTCODE)
    pieces = operator.at.dealing.pieces_of(NAME)
    assert operator.release(request) == [
        tuple(claim_share(piece, b64u_decode(claim.digest)) for piece in pieces)
        for claim in operator.at.claims(request.read)
    ]
    assert operator.rows()[1] == [(sha256(request.read.encode()), 0)]


def test_repeated_read_gets_the_same_pieces_again_even_when_it_is_old(operator: Operator) -> None:
    request = operator.release_request(POSTCODE)
    first = operator.release(request)
    operator.clock.time += 45
    assert operator.release(request) == first
    operator.start()
    operator.clock.time += 600
    town = operator.at.town
    note = town.log.publish(operator.clock.time)
    later = operator.with_logged(
        request,
        proof=make_tlog_proof(request.logged.index, town.log.proof(request.logged.index), note),
        evidence=town.log.evidence(note, town.grant_index, town.slot),
    )
    assert operator.release(later) == first
    assert len(operator.rows()[1]) == 1


def test_operator_that_was_away_catches_up_before_it_releases(operator: Operator) -> None:
    operator.follow()
    fetched = operator.fetched
    assert operator.release(operator.release_request(POSTCODE))
    assert operator.fetched == fetched + 1


def test_operator_knows_the_checkpoints_it_passed(operator: Operator) -> None:
    """An answer that was overtaken: the operator has cosigned a larger tree meanwhile."""
    request = operator.release_request(POSTCODE)
    operator.at.read(HUISNUMMER)
    operator.follow()
    assert operator.release(request)


def test_attack_read_that_is_not_in_the_log(operator: Operator) -> None:
    """Log and agency make up a READ: no leaf opens to it."""
    honest = operator.release_request(POSTCODE)
    unlogged = operator.at.town.make_read(HUISNUMMER, read_id=b64u_encode(b"r" * 16))
    refuses(operator, change(honest, read=unlogged), "bad_inclusion")


def test_attack_entry_on_a_fork_that_only_the_witness_quorum_signed(operator: Operator) -> None:
    """The quorum lies too; this operator has replayed other leaves."""
    operator.follow()
    town = operator.at.town
    honest = list(town.log.leaves)
    operator.release_request(HUISNUMMER)
    operator.follow()
    town.log.leaves[:] = honest
    forked = operator.release_request(POSTCODE, read_id=b64u_encode(b"f" * 16))
    refuses(operator, forked, "unknown_checkpoint", 409)


def test_attack_larger_fork_breaks_the_replay(operator: Operator) -> None:
    operator.follow()
    town = operator.at.town
    size = operator.cosigner.replica.size
    town.log.leaves[0] = town.log.leaves[0][:-1] + bytes([town.log.leaves[0][-1] ^ 1])
    refuses(operator, operator.release_request(POSTCODE), "checkpoint_root", 403)
    assert operator.cosigner.replica.size == size


def test_attack_checkpoint_without_a_quorum(operator: Operator) -> None:
    request = operator.release_request(POSTCODE)
    body, _, signatures = request.logged.evidence.checkpoint.rpartition("\n\n")
    alone = f"{body}\n\n{signatures.splitlines()[0]}\n"
    evidence = change(request.logged.evidence, checkpoint=alone)
    refuses(operator, operator.with_logged(request, evidence=evidence), "no_quorum")


def test_attack_stale_checkpoint(operator: Operator) -> None:
    """A stop since then would not show."""
    request = operator.release_request(POSTCODE)
    operator.clock.time += 61
    refuses(operator, request, "stale_checkpoint")


def test_attack_read_after_the_revocation(operator: Operator) -> None:
    town = operator.at.town
    before = operator.release_request(POSTCODE)
    town.log.revoke(town.grant_index, town.slot)
    operator.follow()
    assert operator.rows() == ([], [])  # destroyed with the step that showed it
    refuses(operator, before, "no_share", 410)


def test_attack_log_hides_the_revocation_that_this_operator_keeps(operator: Operator) -> None:
    """The resident handed r over; log and agency go on as if nothing had happened."""
    operator.follow()
    assert operator.cosigner.keep(R) == lock_of(R)
    request = operator.release_request(POSTCODE)
    refuses(operator, request, "no_share", 410)
    operator.start()
    refuses(operator, request, "no_share", 410)


def test_revocation_between_looking_and_releasing_wins(operator: Operator) -> None:
    """The pieces were found, then a stop came: the transaction that releases sees it."""
    request = operator.release_request(POSTCODE)
    held = operator.shares.held

    def late(lock: bytes) -> Any:
        found = held(lock)
        operator.follow(request.logged.evidence.checkpoint)
        operator.cosigner.keep(R)
        return found

    operator.shares.held = late  # type: ignore[method-assign]
    refuses_after = operator.rows()[1]
    with pytest.raises(Rejected, match="revoked"):
        operator.custodian.release(request)
    assert operator.rows() == ([], refuses_after)


def test_attack_number_that_was_released_for_another_read(operator: Operator) -> None:
    first = operator.release_request(POSTCODE)
    operator.release(first)
    operator.at.town.log.reads = 0
    second = operator.release_request(POSTCODE, read_id=b64u_encode(b"2" * 16))
    assert second.logged.n == 0
    refuses(operator, second, "read_number", 409)


def test_attack_read_under_two_numbers(operator: Operator) -> None:
    """The log enters one READ twice, to have it released twice in the dark."""
    first = operator.release_request(POSTCODE)
    operator.release(first)
    released, _ = operator.at.town.release(first.read, shares=[])
    again = change(first, logged=change(released, sealed=None))
    assert again.logged.n == 1
    refuses(operator, again, "read_number", 409)


def test_attack_number_other_than_the_tag_says(operator: Operator) -> None:
    request = operator.release_request(POSTCODE)
    refuses(operator, operator.with_logged(request, n=1), "bad_inclusion")


def test_attack_number_beyond_the_terms(tmp_path: Path) -> None:
    operator = Operator(tmp_path / "operator", dealt(2, 3, max_reads=1))
    operator.deposit()
    operator.at.town.log.reads = 1
    refuses(operator, operator.release_request(POSTCODE), "read_number")


def test_attack_read_hidden_under_a_number_that_no_resident_tries(operator: Operator) -> None:
    """Log and agency skip numbers: the entry is in the log, under a tag that the resident's search never makes."""
    operator.at.town.log.reads = NUMBERS_AHEAD
    refuses(operator, operator.release_request(POSTCODE), "read_number", 409)
    operator.at.town.log.reads = NUMBERS_AHEAD - 1
    request = operator.release_request(POSTCODE)
    assert operator.release(request)
    shown = event_tags(operator.at.town.terms, Seen())
    assert event_tag(b64u_decode(operator.at.town.terms.tag_key), LeafType.READ, request.logged.n) in shown


def test_operator_that_was_away_for_many_reads_releases_the_next(operator: Operator) -> None:
    operator.release(operator.release_request(POSTCODE))
    operator.at.town.log.reads = NUMBERS_AHEAD
    assert operator.release(operator.release_request(POSTCODE, read_id=b64u_encode(b"2" * 16)))


def test_attack_reply_key_of_somebody_else(operator: Operator) -> None:
    request = operator.release_request(POSTCODE)
    thief = b64u_encode(builders.kem("thief").public_bytes())
    refuses(operator, change(request, reply_key=thief), "wrong_read")


def test_attack_read_signed_by_another_agency(operator: Operator) -> None:
    def forged(read: Any) -> str:
        return sign_read(read, builders.STRANGER.key, builders.STRANGER.x5c)

    refuses(operator, forged_request(operator, forged), "not_recipient", 403)


def test_operator_refuses_a_read_of_an_agency_that_is_no_longer_listed(operator: Operator) -> None:
    request = operator.release_request(POSTCODE)
    operator.trust = dealing.trust(2, 3, agencies=[])
    refuses(operator, request, "not_recipient", 403)


def forged_request(operator: Operator, sign: Callable[[Any], str], **changes: Any) -> Any:
    """A READ that is in the log as somebody else signed it."""
    payload = json.loads(granting.parse_jws_payload(operator.at.town.make_read(POSTCODE)))
    read = granting.Read(**{**payload, **changes})
    token = sign(read)
    released, _ = operator.at.town.release(token, shares=[])
    return change(operator.release_request(POSTCODE), read=token, logged=change(released, sealed=None))


def test_attack_attribute_that_was_not_granted(operator: Operator) -> None:
    def signed(read: Any) -> str:
        return sign_read(read, AGENCY.key, AGENCY.x5c)

    refuses(operator, forged_request(operator, signed, claims=[OTHER]), "out_of_scope", 403)


def test_operator_refuses_a_read_before_and_after_its_grant(tmp_path: Path) -> None:
    operator = Operator(tmp_path / "operator", dealt(2, 3, not_before=NOW + 30))
    operator.deposit()
    refuses(operator, operator.release_request(POSTCODE), "not_yet", 403)
    operator.clock.time = NOW + 31
    assert operator.release(operator.release_request(POSTCODE))
    operator.clock.time = operator.at.town.terms.not_after - 1
    assert operator.release(operator.release_request(POSTCODE, read_id=b64u_encode(b"l" * 16)))
    operator.clock.time += 1
    refuses(operator, operator.release_request(POSTCODE, read_id=b64u_encode(b"t" * 16)), "expired", 403)


def test_operator_refuses_a_read_out_of_context(tmp_path: Path) -> None:
    operator = Operator(tmp_path / "operator", dealt(2, 3, context=Context(zone="office")))
    operator.deposit()
    refuses(operator, operator.release_request(POSTCODE, zone="remote"), "out_of_context", 403)


def test_attack_read_whose_time_is_not_now(operator: Operator) -> None:
    """An old READ that the log enters only now would show the resident a false time."""
    refuses(
        operator, operator.release_request(POSTCODE, read_id=b64u_encode(b"o" * 16)) and stale(operator), "stale"
    )


def stale(operator: Operator) -> Any:
    token = operator.at.town.make_read(POSTCODE, iat=operator.clock.time - 61, read_id=b64u_encode(b"s" * 16))
    released, _ = operator.at.town.release(token, shares=[])
    return change(operator.release_request(POSTCODE), read=token, logged=change(released, sealed=None))


def test_operator_refuses_a_read_of_a_grant_it_has_no_pieces_of(tmp_path: Path) -> None:
    operator = Operator(tmp_path / "operator", dealt(2, 3))
    refuses(operator, operator.release_request(POSTCODE), "no_share", 410)


def test_attack_opening_of_another_kind_of_leaf(operator: Operator) -> None:
    """A refusal or message leaf is no entry of a read."""
    town = operator.at.town
    token = town.make_read(POSTCODE)
    commit = commitment(granting.OPENING_KEY, LeafType.REFUSAL, token.encode())
    tag = event_tag(b64u_decode(town.terms.tag_key), LeafType.REFUSAL, 0)
    index = town.log.append(ReadLeaf(tag, commit))
    note = town.log.publish(NOW)
    request = operator.release_request(POSTCODE)
    logged = change(
        request.logged,
        n=0,
        index=index,
        proof=make_tlog_proof(index, town.log.proof(index), note),
        evidence=town.log.evidence(town.log.publish(NOW), town.grant_index, town.slot),
    )
    refuses(operator, change(request, read=token, logged=logged), "other_checkpoint")


# Upkeep.


def test_pieces_are_wrapped_anew_each_day_and_the_old_key_destroyed(operator: Operator) -> None:
    ((_, before),), _ = operator.rows()
    began = epochs_of(operator.home).current
    first = epochs_of(operator.home).key(began)
    operator.clock.time += EPOCH_SECONDS
    operator.custodian.keep_house()
    ((_, after),), _ = operator.rows()
    assert before != after
    assert first not in operator.files()
    with pytest.raises(Unavailable, match="epoch_key"):
        epochs_of(operator.home).key(began)
    operator.start()
    assert operator.release(operator.release_request(POSTCODE))


def test_pieces_that_do_not_open_do_not_keep_an_old_key_alive(operator: Operator) -> None:
    with operator.store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE operator_shares SET wrapped = zeroblob(104)")
    operator.clock.time += EPOCH_SECONDS
    operator.custodian.keep_house()
    assert operator.rows() == ([], [])
    assert epochs_of(operator.home).past() == []


def test_expired_pieces_are_destroyed_with_their_releases(operator: Operator) -> None:
    operator.release(operator.release_request(POSTCODE))
    ends = operator.at.town.terms.not_after
    operator.clock.time = ends - 1
    operator.shares.destroy_expired(ends - 1)
    assert [len(rows) for rows in operator.rows()] == [1, 1]
    operator.shares.destroy_expired(ends)
    assert operator.rows() == ([], [])


def test_destroyed_pieces_leave_the_disk(operator: Operator) -> None:
    ((_, wrapped),), _ = operator.rows()
    assert wrapped in operator.files()
    operator.follow()
    operator.cosigner.keep(R)
    assert operator.shares.has_remains
    operator.shares.clean()
    assert wrapped not in operator.files()


def test_operator_with_a_destroyed_epoch_key_cannot_release(operator: Operator) -> None:
    """A restored backup of the database, without the key of its day."""
    request = operator.release_request(POSTCODE)
    epochs = epochs_of(operator.home)
    first = epochs.current
    epochs.begin(b"f" * 32, NOW + DAY)
    epochs.destroy(first)
    before = operator.rows()
    with pytest.raises(Unavailable, match="epoch_key"):
        operator.custodian.release(request)
    assert operator.rows() == before


# Crashes and races.


@contextmanager
def breaking(engine: Any, *, persisted: bool) -> Iterator[Any]:
    """A transaction that fails, or whose commit happened though nobody was told."""
    with immediate(engine) as connection:
        yield connection
        if not persisted:
            raise Unavailable("database", "the disk is gone")
    raise Unavailable("database", "the answer was lost")


@pytest.mark.parametrize("persisted", [False, True])
def test_deposit_whose_commit_failed_is_taken_when_it_comes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, persisted: bool
) -> None:
    operator = Operator(tmp_path / "operator", dealt(2, 3))
    with monkeypatch.context() as patch:
        patch.setattr(shares, "immediate", partial(breaking, persisted=persisted))
        with pytest.raises(Unavailable, match="database"):
            operator.deposit()
    assert len(operator.rows()[0]) == persisted
    operator.start()
    operator.deposit()
    assert operator.release(operator.release_request(POSTCODE))


@pytest.mark.parametrize("persisted", [False, True])
def test_release_whose_commit_failed_gives_nothing_and_may_be_asked_again(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, persisted: bool
) -> None:
    request = operator.release_request(POSTCODE)
    with monkeypatch.context() as patch:
        patch.setattr(shares, "immediate", partial(breaking, persisted=persisted))
        with pytest.raises(Unavailable, match="database"):
            operator.custodian.release(request)
    assert len(operator.rows()[1]) == persisted
    operator.start()
    assert operator.release(request)
    assert len(operator.rows()[1]) == 1


def test_attack_many_reads_under_one_number_at_once(operator: Operator) -> None:
    """One of them is released, whichever comes first."""
    requests = []
    for number in range(8):
        operator.at.town.log.reads = 0
        requests.append(operator.release_request(POSTCODE, read_id=b64u_encode(bytes([number]) * 16)))
    operator.follow()

    def ask(request: Any) -> str:
        try:
            operator.custodian.release(request)
        except Rejected as error:
            return error.code
        return "released"

    with ThreadPoolExecutor(max_workers=8) as pool:
        codes = list(pool.map(ask, requests))
    assert sorted(codes) == ["read_number"] * 7 + ["released"]
    assert len(operator.rows()[1]) == 1


def test_attack_reads_while_the_stop_comes_in(operator: Operator) -> None:
    """From the moment that the resident has the cosigner's word nothing is released any more."""
    requests = [
        operator.release_request(POSTCODE, read_id=b64u_encode(bytes([number]) * 16)) for number in range(12)
    ]
    operator.follow(requests[-1].logged.evidence.checkpoint)
    stopped = Event()

    def ask(request: Any) -> tuple[bool, str]:
        late = stopped.is_set()
        try:
            operator.custodian.release(request)
        except Rejected as error:
            return late, error.code
        return late, "released"

    def stop() -> None:
        operator.cosigner.keep(R)
        stopped.set()

    with ThreadPoolExecutor(max_workers=4) as pool:
        first = [pool.submit(ask, request) for request in requests[:6]]
        pool.submit(stop).result()
        found = [future.result() for future in [*first, *(pool.submit(ask, r) for r in requests[6:])]]
    assert {code for late, code in found if late} <= {"no_share", "revoked"}
    assert {code for _, code in found} <= {"released", "no_share", "revoked"}
    assert operator.rows()[0] == []


# Over HTTP.


def test_operator_answers_over_http(operator: Operator) -> None:
    app = make_app("auditor")
    add_custody(app, operator.custodian)
    client = app.test_client()

    def post(path: str, body: Any) -> Any:
        return client.post(path, data=canonical_bytes(body), content_type="application/json")

    deposit = operator.deposit_request()
    assert post("/v1/deposits", deposit).json == {"lock": operator.at.town.terms.lock}
    spelled_twice = {**to_builtins(deposit), "terms": {**to_builtins(deposit.terms), "not_after": NOW - DAY}}
    assert post("/v1/deposits", spelled_twice).json["code"] == "bad_terms"
    request = operator.release_request(POSTCODE)
    assert set(post("/v1/releases", request).json) == {"sealed"}
    refused = post("/v1/releases", change(request, reply_key=b64u_encode(bytes(1216))))
    assert (refused.status_code, refused.json["code"]) == (400, "wrong_read")
    assert client.post("/v1/releases", data=b"{}", content_type="text/plain").status_code == 415


# At the command line.


def run_init(home: Path, *arguments: str) -> Any:
    """`regie auditor init` in `home`."""
    registrar = home.parent / "registrar.json"
    registrar.write_text(json.dumps(builders.REGISTRAR.public.jwk()))
    trust = ["--trust-list", str(home.parent / "trust-list.jwt"), "--registrar", str(registrar)]
    options = ["init", *trust, "--log", builders.LOG_ORIGIN, *arguments]
    return CliRunner().invoke(cli.group, options, env={"REGIE_HOME": str(home)})


def test_cosigner_made_with_shares_has_a_deposit_key_and_an_epoch(tmp_path: Path) -> None:
    home = tmp_path / "operator"
    made = run_init(home, "--url", "https://operator.example", "--name", "operator.example", "--shares")
    assert made.exit_code == 0, made.output
    entry = parse_struct(Home(home).read("entry.json"), TrustedWitness)
    assert entry.deposit_key is not None
    parse_kem_public(b64u_decode(entry.deposit_key))
    assert entry.auditing
    assert turn_of(epochs_of(Home(home)).current) == 1
    assert holds_shares(Home(home))


def test_cosigner_made_without_shares_holds_none(tmp_path: Path) -> None:
    home = tmp_path / "cosigner"
    assert run_init(home, "--url", "https://cosigner.example", "--name", "cosigner.example").exit_code == 0
    assert parse_struct(Home(home).read("entry.json"), TrustedWitness).deposit_key is None
    assert not holds_shares(Home(home))


def test_auditor_that_does_not_cosign_cannot_hold_shares(tmp_path: Path) -> None:
    made = run_init(tmp_path / "auditor", "--shares")
    assert made.exit_code == 2
    assert not (tmp_path / "auditor" / "config.json").exists()


def test_key_for_deposits_rotates_while_everything_goes_on(operator: Operator) -> None:
    """Both keys open meanwhile; the old one goes once the list in force has named the new one for long enough."""
    old = operator.deposit_request()
    keys = deposit_keys(operator.home)
    keys.begin(builders.kem("next").seed)
    new = builders.kem("next").public_bytes()
    assert newest_deposit_key(operator.home) == b64u_encode(new)
    terms = operator.at.town.terms
    sealed = seal_pieces(new, terms, NAME, operator.at.dealing.pieces_of(NAME))
    to_the_new = operator.deposit_request(deposit=b64u_encode(sealed))
    for request in (old, to_the_new):
        assert operator.custodian.deposit(request).lock == terms.lock

    def finish(trust: Any, now: int) -> None:
        finish_deposit_key(operator.home, trust, NAME, now)

    with pytest.raises(Rejected, match="not_listed"):
        finish(operator.trust, NOW)
    renewed = change(dealing.operator(NAME), deposit_key=b64u_encode(new))
    trust = dealing.trust(2, 3, iat=NOW, witnesses=[renewed])
    with pytest.raises(Rejected, match="too_soon"):
        finish(trust, NOW + LISTED_SECONDS - 1)
    finish(trust, NOW + LISTED_SECONDS)
    with pytest.raises(Rejected, match="no_rotation"):
        finish(trust, NOW + LISTED_SECONDS)
    assert operator.custodian.deposit(to_the_new).lock == terms.lock
    refuses_deposit(operator, old, "bad_deposit")
    assert operator.release(operator.release_request(POSTCODE))  # what it held it holds


def test_operator_rotates_by_command(tmp_path: Path) -> None:
    home = tmp_path / "operator"
    made = run_init(home, "--url", "https://operator.example", "--name", "operator.example", "--shares")
    assert made.exit_code == 0, made.output
    before = parse_struct(Home(home).read("entry.json"), TrustedWitness)
    environment = {"REGIE_HOME": str(home)}
    assert CliRunner().invoke(cli.group, ["rotate", "--deposit", "--post-quantum"], env=environment).exit_code == 2
    done = CliRunner().invoke(cli.group, ["rotate", "--deposit"], env=environment)
    assert done.exit_code == 0, done.output
    after = parse_struct(Home(home).read("entry.json"), TrustedWitness)
    assert after.deposit_key not in (None, before.deposit_key)
    assert after.vkey == before.vkey
    assert CliRunner().invoke(cli.group, ["rotate", "--deposit"], env=environment).exit_code != 0
