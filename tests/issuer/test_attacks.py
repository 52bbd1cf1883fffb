"""Attacks on issuing, by name; each also shows that nothing changed, or no more than should."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from issuer import store, store_oauth
from issuer.brp import Bsn
from issuer.issue import LIST_FILL
from issuer.offer import MAX_TRIES
from issuer.tables import copies, status_lists
from protocol.credential_request import MAX_REQUEST_BYTES
from protocol.errors import Rejected, Unavailable
from service.database import immediate, snapshot, sqlite_url
from tests.issuer.desk import (
    KARIM,
    NOOR,
    PRE_AUTHORIZED,
    URL,
    Desk,
    HolderKey,
    jwt_parts,
    open_desk,
)


def wrong(tx_code: str) -> str:
    return f"{(int(tx_code) + 1) % 10**8:08}"


# ---- codes


def test_transaction_code_cannot_be_guessed(desk: Desk) -> None:
    code, tx_code = desk.offer()
    for _ in range(MAX_TRIES):
        assert desk.post_token(code, wrong(tx_code)).json["error"] == "invalid_grant"
    dead = desk.post_token(code, tx_code)
    assert (dead.status_code, dead.json["error"]) == (400, "invalid_grant")
    assert desk.rows()["tokens"] == 0


def test_four_mistakes_are_forgiven(desk: Desk) -> None:
    code, tx_code = desk.offer()
    for _ in range(MAX_TRIES - 1):
        desk.post_token(code, wrong(tx_code))
    assert desk.post_token(code, tx_code).status_code == 200


def test_shoulder_surfer_cannot_replay_a_code(desk: Desk) -> None:
    code, tx_code = desk.offer()
    token = desk.post_token(code, tx_code).json["access_token"]
    before = desk.rows()
    assert desk.post_token(code, tx_code).json["error"] == "invalid_grant"
    assert desk.rows() == before
    assert desk.fetch(token, "persoon")  # the resident's own token still serves


def test_refusals_of_a_code_do_not_tell_why(desk: Desk) -> None:
    used, used_tx = desk.offer()
    desk.post_token(used, used_tx)
    fresh, fresh_tx = desk.offer()
    answers = [desk.post_token(used, used_tx), desk.post_token(fresh, wrong(fresh_tx)), desk.post_token("x", "1")]
    assert len({answer.text for answer in answers}) == 1


def test_token_of_one_resident_never_yields_anothers_data(desk: Desk) -> None:
    token = desk.token(bsn=KARIM)
    (text,) = desk.fetch(token, "persoon")
    assert NOOR not in str(text)


# ---- nonces


def test_replayed_nonce_is_refused(desk: Desk) -> None:
    token, nonce = desk.token(), desk.nonce()
    assert desk.post_credential(token, "persoon", desk.proofs(2, nonce)).status_code == 200
    before = desk.rows()
    again = desk.post_credential(token, "persoon", desk.proofs(2, nonce))
    assert (again.status_code, again.json["error"]) == (400, "invalid_nonce")
    assert desk.rows() == before


def test_replayed_key_proof_is_refused(desk: Desk) -> None:
    proofs = desk.proofs(1)
    assert desk.post_credential(desk.token(), "persoon", proofs).status_code == 200
    assert desk.post_credential(desk.token(bsn=KARIM), "persoon", proofs).json["error"] == "invalid_nonce"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda proofs: [proofs[0], proofs[0]],
        lambda proofs: [*proofs, "junk"],
        lambda proofs: [proofs[0].rpartition(".")[0] + "." + "A" * 86],
        lambda proofs: [*proofs, proofs[0].replace(".", "~")],
    ],
)
def test_refused_request_has_spent_its_nonce(desk: Desk, spoil: Callable[[list[str]], list[str]]) -> None:
    token, nonce = desk.token(), desk.nonce()
    proofs = desk.proofs(1, nonce)
    assert desk.post_credential(token, "persoon", spoil(proofs)).json["error"] == "invalid_proof"
    assert desk.post_credential(token, "persoon", proofs).json["error"] == "invalid_nonce"
    assert desk.rows()["copies"] == 0


def test_denied_request_has_spent_its_nonce(desk: Desk) -> None:
    token, proofs = desk.token("persoon"), desk.proofs(1)
    assert desk.post_credential(token, "adres", proofs).json["error"] == "credential_request_denied"
    assert desk.post_credential(token, "persoon", proofs).json["error"] == "invalid_nonce"


def test_good_nonce_beside_a_bad_one_is_spent_too(desk: Desk) -> None:
    token, nonce = desk.token(), desk.nonce()
    mixed = [*desk.proofs(1, nonce), *desk.proofs(1, "made-up")]
    assert desk.post_credential(token, "persoon", mixed).json["error"] == "invalid_nonce"
    assert desk.post_credential(token, "persoon", desk.proofs(1, nonce)).json["error"] == "invalid_nonce"


def test_nonce_is_not_spent_by_who_has_no_token(desk: Desk) -> None:
    proofs = desk.proofs(1)
    assert desk.post_credential("AAAA", "persoon", proofs).status_code == 401
    assert desk.post_credential(desk.token(), "persoon", proofs).status_code == 200


def test_asking_for_nonces_fills_no_disk(desk: Desk) -> None:
    before = desk.rows()
    for _ in range(50):
        desk.nonce()
    assert desk.rows() == before


def test_spent_nonces_are_forgotten_when_they_are_over(desk: Desk) -> None:
    for _ in range(3):
        desk.fetch(desk.token(), "persoon")
    assert desk.rows()["spent_nonces"] == 3
    desk.clock.time += 301
    desk.fetch(desk.token(), "persoon")
    assert desk.rows()["spent_nonces"] == 1


# ---- batches


def test_two_proofs_with_the_same_key_yield_nothing(desk: Desk) -> None:
    key, nonce, token = HolderKey(), desk.nonce(), desk.token()
    proofs = [key.proof(URL, nonce, desk.clock.now() - n) for n in range(2)]
    assert desk.post_credential(token, "persoon", proofs).json["error"] == "invalid_proof"
    assert desk.rows()["copies"] == 0


@pytest.mark.parametrize("place", [0, 3, 7])
def test_one_bad_proof_spoils_the_whole_batch(desk: Desk, place: int) -> None:
    token, nonce = desk.token(), desk.nonce()
    proofs = desk.proofs(8, nonce)
    proofs[place] = HolderKey().proof(URL, nonce, desk.clock.now() - 3600)
    before = {**desk.rows(), "spent_nonces": 1}
    assert desk.post_credential(token, "persoon", proofs).json["error"] == "invalid_proof"
    assert desk.rows() == before


def test_index_is_never_given_out_twice_even_by_a_bad_generator(tmp_path: Path) -> None:
    """A generator that knows 40 values: every index is still used once."""
    count = 0

    def poor(size: int) -> bytes:
        nonlocal count
        count += 1
        return (count % 40).to_bytes(4, "big") if size == 4 else count.to_bytes(size, "big")

    desk = open_desk(tmp_path / "issuer", random=poor)
    texts = desk.fetch(desk.token(), "persoon", 25)
    indexes = [jwt_parts(text.partition("~")[0])[1]["status"]["status_list"]["idx"] for text in texts]
    assert len(set(indexes)) == 25
    assert max(indexes) < 40


def test_list_that_is_half_full_is_left(desk: Desk) -> None:
    desk.fetch(desk.token(), "persoon")
    with immediate(desk.office.engine) as connection:
        connection.execute(status_lists.update().values(given_out=LIST_FILL - 1))
    uris = [
        jwt_parts(text.partition("~")[0])[1]["status"]["status_list"]["uri"]
        for text in desk.fetch(desk.token(), "persoon", 3)
    ]
    assert [uri.rpartition("/")[2] for uri in uris] == ["1", "1", "1"]
    assert desk.client.get("/status-lists/1").status_code == 200


def test_database_itself_refuses_an_index_twice(desk: Desk) -> None:
    desk.fetch(desk.token(), "persoon")
    with snapshot(desk.office.engine) as connection:
        row = dict(connection.execute(copies.select()).mappings().one())
    with pytest.raises(Exception, match="UNIQUE"), immediate(desk.office.engine) as connection:
        connection.execute(insert(copies).values({**row, "id": None, "position": 99}))


# ---- hostile input


HOSTILE = [
    b"",
    b"\x00" * 100,
    b"\xff\xfe",
    b"[" * 50_000,
    b'{"a":' * 10_000,
    b'{"proofs":{"jwt":' + b"[" * 10_000,
    b'{"credential_configuration_id":"persoon","proofs":{"jwt":[' + b'"a",' * 5000 + b'"a"]}}',
    b'{"credential_configuration_id":"\\ud800","proofs":{"jwt":["\\ud800"]}}',
    b'{"credential_configuration_id":"persoon","proofs":{"jwt":["\xc3\xa9.\xc3\xa9.\xc3\xa9"]}}',
    b"NaN",
    b"9" * 5000,
    b'{"notification_id":"\\u0000","event":"credential_accepted"}',
    b"a" * (8 * 1024 * 1024),
    b"%ff=%ff&grant_type=%00",
    b"&".join(b"a=1" for _ in range(1000)),
]


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_bodies_are_refused_and_never_an_error_of_ours(desk: Desk, body: bytes) -> None:
    token = desk.token()
    before = desk.rows()
    headers = {"Authorization": f"Bearer {token}"}
    for path in ("/token", "/credential", "/notification"):
        for media_type in ("application/json", "application/x-www-form-urlencoded", "", "multipart/form-data"):
            answer = desk.client.post(path, data=body, content_type=media_type, headers=headers)
            assert 400 <= answer.status_code < 500, (path, media_type)
            if media_type:
                assert answer.is_json
    assert desk.client.post("/nonce", data=body).status_code in (200, 413)
    assert desk.rows() == before


def test_credential_request_is_read_no_further_than_its_limit(desk: Desk) -> None:
    token = desk.token()
    body = json.dumps({"credential_configuration_id": "persoon", "proofs": {"jwt": desk.proofs(1)}}).encode()
    headers = {"Authorization": f"Bearer {token}"}

    def post(size: int) -> int:
        data = body + b" " * (size - len(body))
        return desk.client.post(
            "/credential", data=data, content_type="application/json", headers=headers
        ).status_code

    assert post(MAX_REQUEST_BYTES + 1) == 400
    assert post(MAX_REQUEST_BYTES) == 200


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_json, st.sampled_from(["/credential", "/notification"]))
def test_any_json_is_answered_with_a_refusal(desk: Desk, value: Any, path: str) -> None:
    bodies = [value, {"credential_configuration_id": "persoon", "proofs": value}, {"proofs": {"jwt": value}}]
    token = desk.token()
    for body in bodies:
        answer = desk.client.post(path, json=body, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 400
        assert answer.json["error"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(st.sampled_from(["grant_type", "pre-authorized_code", "tx_code", "x"]), st.text(max_size=40))
)
def test_any_form_is_answered_with_a_refusal(desk: Desk, form: dict[str, str]) -> None:
    for changed in (form, {**form, "grant_type": PRE_AUTHORIZED}):
        answer = desk.client.post("/token", data=changed)
        assert answer.status_code == 400
        assert answer.json["error"] in ("invalid_request", "invalid_grant", "unsupported_grant_type")


# ---- what must never leak


def test_bsn_is_in_no_url_error_or_log(desk: Desk, capfd: pytest.CaptureFixture[str]) -> None:
    made, tx_code = desk.office.offer(NOOR, ("persoon",))
    token = desk.token()
    texts = [str(made.id), desk.client.get(f"/offers/{made.id}").text]
    texts.append(desk.post_token("x", "y").text)
    texts.append(desk.client.get(f"/offers/{NOOR}").text)
    texts.append(desk.post_credential(token, "adres", desk.proofs(1)).text)
    desk.fetch(token, "persoon")
    desk.client.get("/status-lists/0")
    desk.client.get(f"/{NOOR}?bsn={NOOR}")
    logs = "".join(capfd.readouterr())
    for bsn in (NOOR, tx_code, token, made.id):
        assert bsn not in logs
    assert NOOR not in "".join(texts)
    with pytest.raises(Rejected) as caught:
        desk.office.offer(Bsn("999993653"), ("persoon",))
    assert caught.value.code == "unknown_person"
    assert "999993653" not in str(caught.value)


def test_stolen_database_holds_no_code_that_can_be_used(desk: Desk) -> None:
    made, tx_code = desk.office.offer(NOOR, ("persoon",))
    code = desk.client.get(f"/offers/{made.id}").json["grants"][PRE_AUTHORIZED]["pre-authorized_code"]
    token = desk.token()
    raw = desk.office.engine.raw_connection()
    dump = "\n".join(str(line) for line in raw.driver_connection.iterdump())  # type: ignore[union-attr]
    for secret in (code, tx_code, token):
        assert secret not in dump


# ---- atomicity


def test_person_who_left_the_register_meanwhile_gets_nothing(desk: Desk) -> None:
    token = desk.token()
    with immediate(desk.office.engine) as connection:
        connection.exec_driver_sql("DELETE FROM persons")
    before = desk.rows()
    answer = desk.post_credential(token, "persoon", desk.proofs(1))
    assert answer.json["error"] == "credential_request_denied"
    assert desk.rows() == {**before, "spent_nonces": 1}  # no position, set or index was taken


def test_database_that_fails_half_way_leaves_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    token = desk.token()
    before = desk.rows()

    def fail(*_: object, **__: object) -> None:
        raise Unavailable("database", "the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(store, "add_notification", fail)
        answer = desk.post_credential(token, "persoon", desk.proofs(4))
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert desk.rows() == {**before, "spent_nonces": 1}
    assert len(desk.fetch(token, "persoon", 30)) == 30  # nothing of the batch was lost


def test_crash_before_signing_wastes_indexes_and_never_repeats_one(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = desk.token()

    def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("issuer.issuing.sign_copies", crash)
        with pytest.raises(KeyboardInterrupt):
            desk.post_credential(token, "persoon", desk.proofs(3))
    with snapshot(desk.office.engine) as connection:
        wasted = {row.idx for row in connection.execute(copies.select())}
    assert len(wasted) == 3
    texts = desk.fetch(token, "persoon", 5)
    indexes = {jwt_parts(text.partition("~")[0])[1]["status"]["status_list"]["idx"] for text in texts}
    assert not indexes & wasted


def test_redeeming_commits_before_it_answers(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    code, tx_code = desk.offer()

    def fail(*_: object, **__: object) -> None:
        raise Unavailable("database", "no")

    with monkeypatch.context() as patch:
        patch.setattr(store_oauth, "add_token", fail)
        assert desk.post_token(code, tx_code).status_code == 503
    assert desk.post_token(code, tx_code).status_code == 200  # the code was not lost with the token


@pytest.fixture
def file_desk(tmp_path: Path) -> Desk:
    """A desk on a real file, where threads have connections of their own."""
    return open_desk(tmp_path / "issuer", database=sqlite_url(tmp_path / "issuer.db"))


def at_once(count: int, desk: Desk, call: Callable[[Desk], Any]) -> list[Any]:
    """What `count` threads get that call at the same moment."""
    barrier, results = threading.Barrier(count), []

    def run() -> None:
        mine = desk.another()
        barrier.wait()
        results.append(call(mine))

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_code_redeemed_by_eight_at_once_serves_one(file_desk: Desk) -> None:
    code, tx_code = file_desk.offer()
    answers = at_once(8, file_desk, lambda desk: desk.post_token(code, tx_code).json.get("error"))
    assert answers.count("invalid_grant") == 7
    assert file_desk.rows()["tokens"] == 1


def test_tries_counted_by_eight_at_once_are_five(file_desk: Desk) -> None:
    code, tx_code = file_desk.offer()
    answers = at_once(8, file_desk, lambda desk: desk.post_token(code, wrong(tx_code)).json["error"])
    assert set(answers) == {"invalid_grant"}
    assert file_desk.post_token(code, tx_code).json["error"] == "invalid_grant"


def test_nonce_used_by_six_at_once_serves_one(file_desk: Desk) -> None:
    token, nonce = file_desk.token(), file_desk.nonce()
    answers = at_once(
        6, file_desk, lambda desk: desk.post_credential(token, "persoon", desk.proofs(1, nonce)).json.get("error")
    )
    assert answers.count("invalid_nonce") == 5


def test_batches_fetched_at_once_never_share_a_position_or_index(file_desk: Desk) -> None:
    token = file_desk.token()
    at_once(6, file_desk, lambda desk: desk.fetch(token, "persoon", 4))
    with snapshot(file_desk.office.engine) as connection:
        rows = list(connection.execute(copies.select()))
    assert len(rows) == 24
    assert sorted(row.position for row in rows) == list(range(24))
    assert len({row.idx for row in rows}) == 24
