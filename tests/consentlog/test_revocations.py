"""Stopping: nothing stands in its way, nothing overtakes it, and nothing of the share is left."""

import os
from pathlib import Path

import pytest

from protocol.canonical import b64u_decode, b64u_encode
from protocol.consent_api import CosignerRevocationRequest
from protocol.leaf import Revocation, parse_leaf
from protocol.note import parse_vkey
from protocol.receipt import verify_revocation_receipt
from protocol.revocation_code import revocation_secret
from tests.consentlog.peers import code_of
from tests.consentlog.small_town import Given, SmallTown
from tests.protocol.builders import AUDITOR_NAME, DAY, LOG_ORIGIN, NOW
from tests.waiting import wait_until


def files_of(town: SmallTown) -> bytes:
    """All bytes of the log's database files."""
    return b"".join(path.read_bytes() for path in sorted(Path(town.home.path).glob("log.db*")))


def wrapped_share(town: SmallTown, given: Given) -> bytes:
    found = town.node.grant_of(given.answer.slot)
    assert found is not None
    assert found.row.wrapped is not None
    return found.row.wrapped


def test_resident_gets_a_signed_receipt_at_once(town: SmallTown) -> None:
    given = town.grant()
    answer = town.revoke(given)
    receipt = verify_revocation_receipt(
        answer.receipt,
        parse_vkey(town.entry.receipt_vkey),
        origin=LOG_ORIGIN,
        lock=b64u_decode(given.terms.lock),
    )
    assert (receipt.time, receipt.deadline) == (NOW, NOW + 60)
    assert answer.slot == given.answer.slot
    leaf = parse_leaf(town.leaves()[answer.index])
    assert leaf == Revocation(given.answer.index, given.answer.slot, given.r)
    town.settle()
    assert town.replayed().locks[b64u_decode(given.terms.lock)].revoked


def test_revoking_again_gives_the_same_answer(town: SmallTown) -> None:
    given = town.grant()
    first = town.revoke(given)
    town.clock.time += 500
    size = town.node.tree.size
    assert town.revoke(given) == first
    assert town.node.tree.size == size


def test_unknown_secret_is_told_so(town: SmallTown) -> None:
    given = town.grant()
    assert code_of(town.post_revocation(os.urandom(32))) == (404, "unknown_lock")
    assert code_of(town.post_revocation(revocation_secret(given.code, 2))) == (404, "unknown_lock")
    assert not town.replayed().locks[b64u_decode(given.terms.lock)].revoked


@pytest.mark.parametrize("body", [b"{}", b'{"r":"x"}', b'{"r":1}', b"null"])
def test_malformed_revocations_are_refused(town: SmallTown, body: bytes) -> None:
    assert town.send("POST", "/v1/revocations", data=body, content_type="application/json").status_code == 400


def test_stop_works_without_any_witness(town: SmallTown) -> None:
    given = town.grant()
    town.wires.cut |= set(town.wires.hosts)
    town.clock.time += DAY
    assert town.revoke(given).slot == given.answer.slot


def test_stop_works_after_the_grant_has_expired(town: SmallTown) -> None:
    given = town.grant(not_after=NOW + 10)
    town.clock.time += 20
    assert town.revoke(given).slot == given.answer.slot


def test_stop_works_before_the_log_has_heard_its_cosigners(tmp_path: Path) -> None:
    town = SmallTown(tmp_path)
    with town.running():
        given = town.grant()
    town.wires.cut |= {AUDITOR_NAME}
    with town.running(until="nothing"):
        assert code_of(town.post_read(town.make_read(given))) == (503, "busy")
        assert town.revoke(given).slot == given.answer.slot


def test_no_byte_of_the_share_is_left(town: SmallTown) -> None:
    given, other = town.grant(), town.grant()
    share, kept = wrapped_share(town, given), wrapped_share(town, other)
    assert share in files_of(town)
    town.revoke(given)
    wait_until(lambda: share not in files_of(town))
    assert share[24:40] not in files_of(town)
    assert kept in files_of(town)
    assert given.b not in files_of(town)  # it never was
    assert code_of(town.post_read(town.make_read(given))) == (410, "revoked")
    assert town.read(other)[1].n == 0


def test_stop_shows_in_the_next_checkpoint(town: SmallTown) -> None:
    given, other = town.grant(), town.grant()
    town.revoke(given)
    town.settle()
    view = town.node.published.view(given.answer.slot)
    assert view.chunk[0] == 1 << given.answer.slot
    events = town.events(given).events
    assert [event.type for event in events] == ["grant", "revocation"]
    assert events[1].opening is None
    assert town.read(other)[1].evidence.status.chunk == b64u_encode(view.chunk)


# Through the auditing cosigner.


def hand_to_cosigner(town: SmallTown, given: Given) -> int:
    body = CosignerRevocationRequest(LOG_ORIGIN, b64u_encode(given.r))
    app = town.wires.hosts[AUDITOR_NAME]
    return app.test_client().post("/v1/revocations", json={"origin": body.origin, "r": body.r}).status_code


def test_log_fetches_what_its_cosigner_keeps_before_the_next_checkpoint(town: SmallTown) -> None:
    given, other = town.grant(), town.grant()
    assert hand_to_cosigner(town, given) == 200
    town.read(other)  # brings a checkpoint, which the cosigner signs only with the revocation in it
    assert code_of(town.post_read(town.make_read(given))) == (410, "revoked")
    wait_until(lambda: not town.cosigner.kept)


def test_stop_handed_over_while_the_log_was_down_comes_before_any_read(tmp_path: Path) -> None:
    town = SmallTown(tmp_path)
    with town.running():
        given = town.grant()
    assert hand_to_cosigner(town, given) == 200
    with town.running():
        assert code_of(town.post_read(town.make_read(given))) == (410, "revoked")
        assert town.replayed().locks[b64u_decode(given.terms.lock)].revoked


def test_what_fits_no_lock_is_dropped(town: SmallTown) -> None:
    given = town.grant()
    town.cosigner.kept = {}
    stranger = os.urandom(32)
    original = town.wires.hosts[AUDITOR_NAME]

    def with_stranger() -> dict[str, list[str]]:
        return {"revocations": [b64u_encode(stranger)]}

    original.view_functions["pending"] = with_stranger
    town.settle()
    assert town.read(given)[1].n == 0
    assert all(not state.revoked for state in town.replayed().locks.values())


def test_cosigners_that_are_deaf_keep_reads_waiting_after_a_restart(tmp_path: Path) -> None:
    town = SmallTown(tmp_path, threshold="any")
    with town.running():
        given = town.grant()
    town.wires.cut |= {AUDITOR_NAME}
    with town.running():  # one plain witness alone is a quorum of this policy: nobody could be overtaken
        assert town.read(given)[1].n == 0
