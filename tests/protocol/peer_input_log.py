"""Rows for the log's entries, proofs, notes and API bodies. Another party's log and witnesses are peers too."""

from collections.abc import Callable
from typing import Any

from protocol import (
    checkpoint,
    consent_api,
    leaf,
    light_check,
    log_keys,
    merkle,
    note,
    policy,
    receipt,
    replay,
    status_tree,
    tiles,
    witness,
)
from protocol.canonical import b64u_encode, convert, to_builtins
from protocol.checkpoint import ChunkProof, Evidence, LeafProof
from protocol.trust_list import FormerPolicy, RetiredKey, TrustedLog
from tests.protocol import granting
from tests.protocol import witnessed_log as w
from tests.protocol.builders import LOG_RECEIPT_KEY
from tests.protocol.granting import POSTCODE
from tests.protocol.peer_input import Row, received, sign_text
from tests.protocol.spoiling import dump

NOW = w.NOW
LOG = w.PaperLog()
for _ in range(3):
    LOG.grant()
LOG.read(1)
LOG.revoke(0)
LOG.head()
SIZE, ROOT, NOTE, EVIDENCE = len(LOG.leaves), LOG.root(), LOG.checkpoint(), LOG.evidence(1)
VERIFIED = checkpoint.verify_checkpoint(NOTE, w.LOG.key)
RECEIPTS = note.NoteSigner(f"{w.ORIGIN}/receipts", LOG_RECEIPT_KEY)
LOCK = LOG.opening(1).lock
LISTED = TrustedLog(
    origin=w.ORIGIN,
    url="https://log.voorbeeld.example",
    vkey=str(w.LOG.key),
    receipt_vkey=str(RECEIPTS.key),
    deposit_key="AA",
    policy=w.POLICY.text,
    retired=[RetiredKey(vkey=str(w.signer(w.ORIGIN).key), until=NOW), RetiredKey(vkey=str(RECEIPTS.key), until=1)],
    former=[FormerPolicy(policy=w.POLICY.text, until=NOW)],
)
RECEIPT = receipt.make_revocation_receipt(w.ORIGIN, LOCK, NOW, RECEIPTS)
PROOF = receipt.make_tlog_proof(1, LOG.tree().path(1, SIZE), NOTE)
REQUEST = witness.encode_add_checkpoint(2, LOG.tree().proof(2, SIZE), NOTE)
STATE = witness.WitnessState(2, LOG.root(2))
COSIGNATURE = checkpoint.cosign_checkpoint(VERIFIED, w.WITNESSES[0], time=NOW)
HASHES = b"".join(LOG.tree().path(1, SIZE))
CONSISTENCY = b"".join(LOG.tree().proof(2, SIZE))
POLICY_TEXT = w.POLICY.text
TOWN = granting.town()
RELEASED, STANDING = TOWN.release(TOWN.make_read(POSTCODE))
B32, OPENING = b64u_encode(bytes(32)), b64u_encode(w.secret("opening"))
EVENT = {"index": 1, "leaf": "AAAA", "hashes": "", "type": "read", "n": 0, "opening_key": B32, "opening": "text"}
GRANT_REQUEST = {
    "terms": to_builtins(TOWN.terms),
    "opening_key": B32,
    "deposit": b64u_encode(bytes(1168)),
    "view_hash": B32,
    "ticket": granting.TICKET,
}


def _rows_of(data: bytes) -> list[bytes]:
    """As a proof comes in: 32 bytes each, but nobody promises that of the last."""
    return [data[i : i + 32] for i in range(0, len(data), 32)]


def _replay(index: int) -> Row:
    """The entry at `index`, after those before it."""

    def apply(data: bytes) -> object:
        state = replay.Replay()
        for entry in LOG.leaves[:index]:
            state.apply(entry)
        return state.apply(data)

    return Row("replay.Replay.apply", LOG.leaves[index], apply, f"type {LOG.leaves[index][0]}")


def _check_checkpoint(body: str) -> None:
    state = replay.Replay()
    for entry in LOG.leaves:
        state.apply(entry)
    state.check_checkpoint(checkpoint.verify_checkpoint(sign_text(body, w.LOG), w.LOG.key))


def _cosigned(body: str) -> str:
    """A note over any text, signed by the log and all witnesses."""
    lines = [sign_text(body, signer, time=NOW).rpartition("\n\n")[2] for signer in w.WITNESSES]
    return sign_text(body, w.LOG) + "".join(lines)


def _light_check(evidence: Evidence, slot: int = 1) -> object:
    return light_check.verify_light_check(
        evidence,
        LOG.opening(slot),
        log_key=w.LOG.key,
        policy=w.POLICY,
        now=NOW,
        kept=light_check.KeptCheckpoint(2, LOG.root(2), _rows_of(CONSISTENCY)),
    )


def _slot_status(parts: Any) -> object:
    """What a wallet reads of a status chunk."""
    answer = received(parts, consent_api.StatusChunkAnswer)
    chunk = ChunkProof(answer.chunk, answer.hashes)
    return light_check.verify_slot_status(
        answer.checkpoint, answer.head, chunk, 1, log_key=w.LOG.key, policy=w.POLICY, now=NOW
    )


def _decide(body: str) -> object:
    return witness.decide(STATE, witness.parse_add_checkpoint(body), w.LOG.key)


def _read_nodes(data: bytes) -> bytes:
    return merkle.root(3, tiles.node_from_tiles(lambda _level, _n, _width: data, 3))


def _body(kind: type[Any], good: dict[str, Any]) -> Row:
    return Row("consent_api.parse_body", good, lambda v: consent_api.parse_body(dump(v), kind), kind.__name__)


def _struct(name: str, kind: type[Any], good: Any, call: Callable[[Any], object], what: str = "") -> Row:
    """A row whose specimen is a Struct, spoiled as the JSON it came from."""
    return Row(name, to_builtins(good), lambda value: call(received(value, kind)), what)


_HEAD, _GRANT, _CHUNK = EVIDENCE.head, EVIDENCE.grant, EVIDENCE.status
_HEAD_LEAF = light_check.verify_head(VERIFIED, _HEAD)
_TREE = [
    *(Row("leaf.parse_leaf", data, leaf.parse_leaf, f"type {data[0]}") for data in LOG.leaves[2:]),
    *(_replay(index) for index in range(2, SIZE)),
    Row("replay.Replay.apply_all", LOG.leaves[4], lambda data: replay.Replay().apply_all([*LOG.leaves[:4], data])),
    Row("replay.Replay.check_checkpoint", VERIFIED.body, _check_checkpoint),
    Row("merkle.verify_inclusion", HASHES, lambda data: merkle.verify_inclusion(
        merkle.leaf_hash(LOG.leaves[1]), 1, SIZE, _rows_of(data), ROOT)),
    Row("merkle.verify_consistency", CONSISTENCY, lambda data: merkle.verify_consistency(
        2, LOG.root(2), SIZE, ROOT, _rows_of(data))),
    Row("status_tree.verify_chunk", _CHUNK.chunk_bytes(), lambda data: status_tree.verify_chunk(
        data, 0, _HEAD_LEAF.slots, [], _HEAD_LEAF.status_root)),
    Row("tiles.parse_tile_path", "tile/1/x001/234.p/56", tiles.parse_tile_path),
    Row("tiles.parse_tile", HASHES, lambda data: tiles.parse_tile(data, len(HASHES) // 32)),
    Row("tiles.parse_entries", tiles.encode_entries(LOG.leaves), lambda data: tiles.parse_entries(data, SIZE)),
    Row("tiles.node_from_tiles", bytes(96), _read_nodes),
]  # fmt: skip
_NOTES = [
    Row("note.decode_base64", "AAECAwQ=", lambda text: note.decode_base64(text, max_bytes=8)),
    Row("note.decode_hash", note.encode_base64(bytes(32)), note.decode_hash),
    Row("note.decode_decimal", "1795305600", lambda text: note.decode_decimal(text, below=2**53)),
    Row("note.parse_vkey", str(w.LOG.key), note.parse_vkey),
    Row("note.parse_signature_lines", COSIGNATURE * 2, note.parse_signature_lines),
    Row("note.parse_note", NOTE, note.parse_note),
    Row("note.parse_note", NOTE.encode(), note.parse_note, "bytes"),
    Row("note.verify_signatures", COSIGNATURE, lambda lines: note.verify_signatures(
        VERIFIED.body, note.parse_signature_lines(lines), [w.WITNESSES[0].key])),
    Row("note.verify_note", NOTE, lambda text: note.verify_note(text, [w.LOG.key])),
    Row("note.verify_note", VERIFIED.body, lambda body: note.verify_note(
        sign_text(body, w.LOG), [w.LOG.key]), "body"),
    Row("checkpoint.parse_checkpoint_body", VERIFIED.body, checkpoint.parse_checkpoint_body),
    Row("checkpoint.verify_checkpoint", NOTE, lambda text: checkpoint.verify_checkpoint(text, w.LOG.key)),
    Row("checkpoint.verify_checkpoint", VERIFIED.body, lambda body: checkpoint.verify_checkpoint(
        sign_text(body, w.LOG), w.LOG.key), "body"),
    Row("checkpoint.verify_cosignatures", COSIGNATURE, lambda text: checkpoint.verify_cosignatures(
        VERIFIED, text, [w.WITNESSES[0].key])),
    Row("checkpoint.add_cosignatures", COSIGNATURE, lambda line: checkpoint.add_cosignatures(NOTE, [line])),
    Row("checkpoint.decode_hashes", b64u_encode(HASHES), checkpoint.decode_hashes),
    _struct("checkpoint.LeafProof.leaf_bytes", LeafProof, _GRANT, LeafProof.leaf_bytes),
    _struct("checkpoint.LeafProof.proof", LeafProof, _GRANT, LeafProof.proof),
    _struct("checkpoint.ChunkProof.chunk_bytes", ChunkProof, _CHUNK, ChunkProof.chunk_bytes),
    _struct("checkpoint.ChunkProof.proof", ChunkProof, _CHUNK, ChunkProof.proof),
    Row("policy.parse_policy", POLICY_TEXT, policy.parse_policy),
    Row("log_keys.log_keys", to_builtins(LISTED), lambda v: log_keys.log_keys(convert(v, TrustedLog))),
    Row("policy.verify_kept_checkpoint", NOTE, lambda text:
        policy.verify_kept_checkpoint(w.POLICY, text, NOW, log_keys.log_keys(LISTED))),
    Row("policy.satisfied", NOTE, lambda text: policy.satisfied(w.POLICY, text, NOW)),
    Row("policy.satisfied", VERIFIED.body, lambda body: policy.satisfied(w.POLICY, _cosigned(body), NOW), "body"),
    Row("witness.parse_add_checkpoint", REQUEST, witness.parse_add_checkpoint),
    Row("witness.parse_add_checkpoint", REQUEST.encode(), witness.parse_add_checkpoint, "bytes"),
    Row("witness.decide", REQUEST, _decide),
    Row("witness.decide", VERIFIED.body, lambda body: _decide(witness.encode_add_checkpoint(
        2, _rows_of(CONSISTENCY), sign_text(body, w.LOG))), "body"),
    Row("receipt.parse_tlog_proof", PROOF, receipt.parse_tlog_proof),
    Row("receipt.verify_tlog_proof", PROOF, lambda text: receipt.verify_tlog_proof(
        receipt.parse_tlog_proof(text), LOG.leaves[1], VERIFIED)),
    Row("receipt.verify_revocation_receipt", RECEIPT, lambda text: receipt.verify_revocation_receipt(
        text, RECEIPTS.key, origin=w.ORIGIN, lock=LOCK)),
    Row("receipt.verify_revocation_receipt", RECEIPT.rpartition("\n\n")[0] + "\n", lambda body:
        receipt.verify_revocation_receipt(sign_text(body, RECEIPTS), RECEIPTS.key, origin=w.ORIGIN, lock=LOCK),
        "body"),
]  # fmt: skip
_LIGHT_CHECK = [
    _struct("light_check.verify_light_check", Evidence, EVIDENCE, _light_check),
    Row("light_check.verify_light_check", VERIFIED.body, lambda body: _light_check(
        Evidence(_cosigned(body), _HEAD, _GRANT, _CHUNK)), "checkpoint"),
    Row("light_check.verify_slot_status", {"checkpoint": NOTE, "head": to_builtins(_HEAD), **to_builtins(_CHUNK),
        "slots": 3}, _slot_status),
    _struct("light_check.verify_head", LeafProof, _HEAD, lambda p: light_check.verify_head(VERIFIED, p)),
    _struct("light_check.verify_leaf", LeafProof, _GRANT, lambda p: light_check.verify_leaf(VERIFIED, p)),
    _struct("light_check.verify_slot", ChunkProof, _CHUNK, lambda c: light_check.verify_slot(_HEAD_LEAF, 1, c)),
    Row("light_check.verify_kept", CONSISTENCY, lambda data: light_check.verify_kept(
        VERIFIED, light_check.KeptCheckpoint(2, LOG.root(2), _rows_of(data)))),
]  # fmt: skip
_BODIES = [
    Row("consent_api.parse_grant_request", GRANT_REQUEST, lambda v: consent_api.parse_grant_request(dump(v))),
    _body(consent_api.GrantRequest, GRANT_REQUEST),
    _body(consent_api.GrantAnswer, {"index": 1, "slot": 1, "proof": PROOF}),
    _body(consent_api.ReadRequest, {"read": TOWN.make_read(POSTCODE), "reply_key": b64u_encode(bytes(1216))}),
    _body(consent_api.ReadAnswer, to_builtins(RELEASED)),
    _body(consent_api.RevocationRequest, {"r": B32}),
    _body(consent_api.RevocationAnswer, {"receipt": RECEIPT, "slot": 1, "index": 4}),
    _body(consent_api.CosignerRevocationRequest, {"origin": w.ORIGIN, "r": B32}),
    _body(consent_api.CosignerRevocationAnswer, {"receipt": RECEIPT}),
    _body(consent_api.PendingRevocations, {"revocations": [B32, OPENING]}),
    _body(consent_api.MessageRequest, {"message": "eyJ.eyJ.AA"}),
    _body(consent_api.MessageAnswer, {"n": 0, "index": 4, "opening_key": B32, "proof": PROOF}),
    _body(consent_api.EventsAnswer, {"slot": 1, "checkpoint": NOTE, "head": to_builtins(_HEAD),
        "status": to_builtins(_CHUNK), "events": [EVENT]}),
    _body(consent_api.OpeningsAnswer, {"openings": [{"index": 1, "type": "grant", "opening_key": B32,
        "opening": "{}", "slot": 1}], "size": 6, "next": 2}),
    _body(consent_api.StatusChunkAnswer, {"checkpoint": NOTE, "head": to_builtins(_HEAD), **to_builtins(_CHUNK),
        "slots": 3}),
    _body(consent_api.Problem, {"type": "about:blank", "title": "no", "status": 410, "code": "revoked",
        "detail": "x"}),
]  # fmt: skip
ROWS = [*_TREE, *_NOTES, *_LIGHT_CHECK, *_BODIES]
