"""Rows for fraud proofs: whoever accuses a log is a peer too, and every byte of the file is theirs."""

from typing import Any

from protocol import fraud, fraud_form, fraud_reads, fraud_tree
from protocol.canonical import to_builtins
from protocol.checkpoint import ChunkProof, LeafProof, verify_checkpoint
from protocol.leaf import Head, parse_leaf
from protocol.reading import refusal_opening
from tests.auditor import lies
from tests.protocol import granting
from tests.protocol.builders import LOG_ORIGIN, NOW
from tests.protocol.granting import POSTCODE
from tests.protocol.peer_input import Row, received

_HIDDEN: Any = lies.specimens()["hidden_revocation"]
_TREE = verify_checkpoint(_HIDDEN.checkpoint, granting.LOG_KEY)
_HEAD = parse_leaf(_HIDDEN.head.leaf_bytes())
assert isinstance(_HEAD, Head)
_LEAF = to_builtins(_HIDDEN.revocation)


def _verify(value: Any) -> object:
    """The accuser makes the file anew around what was spoiled."""
    evidence = received(value, fraud_form.FraudEvidence)
    return fraud.verify_fraud_proof(fraud_form.make_fraud_proof(LOG_ORIGIN, evidence), lies.ACCUSED, NOW)


ROWS = [
    *(
        Row("fraud.verify_fraud_proof", to_builtins(evidence), _verify, kind)
        for kind, evidence in lies.specimens().items()
        if kind != "transcript"
    ),
    Row(
        "fraud_form.parse_fraud_proof",
        fraud_form.encode_fraud_proof(fraud_form.make_fraud_proof(LOG_ORIGIN, _HIDDEN)),
        fraud_form.parse_fraud_proof,
    ),
    Row("fraud_tree.included", _LEAF, lambda v: fraud_tree.included(_TREE, received(v, LeafProof))),
    Row("fraud_tree.leaf_in", _LEAF, lambda v: fraud_tree.leaf_in(_TREE, received(v, LeafProof))),
    Row(
        "fraud_tree.is_shown_revoked",
        to_builtins(_HIDDEN.status),
        lambda v: fraud_tree.is_shown_revoked(_HEAD, 1, received(v, ChunkProof)),
    ),
    Row(
        "fraud_reads.refused_read",
        refusal_opening(granting.town().make_read(POSTCODE), "revoked").decode(),
        fraud_reads.refused_read,
    ),
]
