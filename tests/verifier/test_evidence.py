"""What an agency shows: complete enough for a stranger to check, and without a value, a key or a salt."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from protocol.canonical import b64u_decode, parse_struct
from protocol.checkpoint import Evidence
from protocol.consent import StandingAnswer, verify_consent
from protocol.errors import Rejected
from protocol.leaf import LeafType, Read, commitment, event_tag
from protocol.light_check import GrantOpening, verify_light_check
from protocol.policy import satisfied
from protocol.reading import verify_read
from protocol.receipt import parse_tlog_proof, verify_tlog_proof
from protocol.terms import Terms
from tests.protocol import builders
from tests.protocol.builders import ADRES, LOG_ORIGIN, NOW
from tests.verifier.agency import PURPOSE, Agency, Granted, Wallet
from verifier.evidence import FORMAT, export_evidence
from verifier.reader import read_grant


@pytest.fixture
def exported(agency: Agency, wallet: Wallet, tmp_path: Path) -> tuple[Granted, Path]:
    canary = builders.attributes_of(ADRES, postcode="CANARY77")
    wallet.cards[ADRES] = builders.credential(ADRES, holder=wallet.keys[ADRES].public, attributes=canary)
    rid, link = agency.ask(case="CANARY-CASE")
    made = wallet.grant(wallet.open(agency, link))
    assert agency.post(rid, made.form()).status_code == 200
    purpose = type(PURPOSE)("CANARY-CASE", "CANARY-OFFICER")
    assert read_grant(agency.desk, rid, ["postcode"], purpose).values["postcode"] == "CANARY77"
    agency.log.stop(made.sealed.slot, made.secret)
    with pytest.raises(Rejected, match="revoked"):
        read_grant(agency.desk, rid, [], purpose)
    path = tmp_path / "evidence.db"
    counts = export_evidence(agency.desk.store, agency.desk.config, path, log=LOG_ORIGIN, now=agency.clock.time)
    assert counts == {"grants": 1, "reads": 2, "releases": 0, "messages": 0, "checkpoints": 1, "contradictions": 0}
    return made, path


def rows(path: Path, table: str) -> list[dict[str, Any]]:
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    return [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]


def test_evidence_is_one_file_that_holds_no_value_key_or_salt(
    agency: Agency, exported: tuple[Granted, Path]
) -> None:
    _, path = exported
    assert not path.with_name("evidence.db-wal").exists()
    data = path.read_bytes()
    assert b"CANARY" not in data
    stored = agency.desk.store.reads.all()[0]
    request = agency.desk.store.grants.all()[0].request
    assert request.kem is not None
    for secret in (stored["case_salt"], stored["officer_salt"], request.kem.seed, request.case_salt):
        assert secret not in data
    assert path.stat().st_mode & 0o777 == 0o600


def test_stranger_can_check_the_grant(exported: tuple[Granted, Path], agency: Agency) -> None:
    made, path = exported
    meta = {row["name"]: row["value"] for row in rows(path, "meta")}
    assert meta["format"] == FORMAT
    (grant,) = rows(path, "grants")
    terms = parse_struct(grant["terms"], Terms)
    assert terms == made.sealed.terms
    assert grant["state"] == "revoked"
    answer = StandingAnswer(json.loads(grant["vp_token"]), made.sealed)
    asked = agency.desk.asked(agency.trust, agency.desk.store.grants.all()[0].request, made.request.request_hash)
    assert verify_consent(answer, asked, trust=agency.trust, now=NOW, fresh=False).set_id == builders.set_id()
    assert grant["request"] == made.request.token
    log = agency.desk.log_trust(agency.trust, LOG_ORIGIN)
    proof = parse_tlog_proof(grant["proof"])
    checkpoint = satisfied(log.policy, proof.checkpoint, NOW, max_age=None, log_keys=(log.key,)).checkpoint
    leaf = agency.log.leaves[grant["grant_index"]]
    assert verify_tlog_proof(proof, leaf, checkpoint).index == made.index


def test_stranger_can_check_the_read(exported: tuple[Granted, Path], agency: Agency) -> None:
    made, path = exported
    done, refused = rows(path, "reads")
    assert (refused["state"], refused["code"], refused["n"]) == ("refused", "revoked", None)
    verified = verify_read(done["token"], builders.agency(), None)
    assert verified.read.slot == made.sealed.slot
    key = b64u_decode(done["opening_key"])
    commit = commitment(key, LeafType.READ, verified.opening)
    leaf = Read(event_tag(b64u_decode(made.sealed.terms.tag_key), LeafType.READ, done["n"]), commit)
    log = agency.desk.log_trust(agency.trust, LOG_ORIGIN)
    evidence = parse_struct(done["evidence"], Evidence)
    opening = GrantOpening(
        builders.LOG_ORIGIN,
        b64u_decode(made.sealed.terms.lock),
        rows(path, "grants")[0]["terms"].encode(),
        b64u_decode(made.sealed.opening_key),
    )
    standing = verify_light_check(evidence, opening, log_key=log.key, policy=log.policy, now=NOW)
    assert (
        verify_tlog_proof(parse_tlog_proof(done["proof"]), leaf.to_bytes(), standing.checkpoint).index
        == (done["leaf_index"])
    )
    assert json.loads(done["statuses"]) == {"adres": "valid", "persoon": "valid"}


def test_evidence_does_not_overwrite(exported: tuple[Granted, Path], agency: Agency) -> None:
    _, path = exported
    before = path.read_bytes()
    with pytest.raises(Rejected, match="exists"):
        export_evidence(agency.desk.store, agency.desk.config, path, log=LOG_ORIGIN, now=NOW)
    assert path.read_bytes() == before


def test_agency_without_grants_exports_empty_tables(agency: Agency, tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    export_evidence(agency.desk.store, agency.desk.config, path, log=LOG_ORIGIN, now=NOW)
    assert rows(path, "grants") == rows(path, "reads") == []
