"""What an agency can show: one SQLite file with its grants, READs and proofs, and without any value.

Everything in it can be checked by others with `regie auditor check`: signatures, receipts, proofs. It holds no
key, no sealed disclosure, and no salt, so that case numbers and names of officers stay hashed.

    meta            name, value: format (`regie/evidence/v1`), oin, agency, log, exported (POSIX seconds);
                    account (`number:head`, an anchor of the account of officers), where there is one
    grants          id, version, slot, lock, state, received, terms (JCS), vp_token (JSON), request (the signed
                    object), opening_key, grant_index, proof (tlog-proof text), mandate (as shown for this
                    lock) and cosigned (JSON), when it was given on behalf of somebody
    reads           id, slot, created, state, code, token (the READ), n, leaf_index, opening_key, proof, evidence
                    (JSON: checkpoint, head, grant, status), statuses (JSON)
    releases        read, operator, outcome: `agreed`, `lied`, `odd`, `gave`, or why it gave nothing
    messages        jti, slot, kind, token, received
    checkpoints     origin, size, note: the largest one verified
    contradictions  origin, kept, seen, found: notes that one honest log cannot have signed both
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from protocol.canonical import canonical_bytes
from protocol.errors import Rejected
from service.sqlite_tables import open_sqlite_utils
from verifier.config import VerifierConfig
from verifier.grants import StoredGrant
from verifier.store import Store

FORMAT = "regie/evidence/v1"
_READ_COLUMNS = (
    "id", "slot", "created", "state", "code", "token", "n", "leaf_index", "opening_key", "proof", "evidence",
    "statuses",
)  # fmt: skip


def export_evidence(
    store: Store,
    config: VerifierConfig,
    path: Path,
    *,
    log: str,
    now: int,
    account: tuple[int, bytes] | None = None,
) -> dict[str, int]:
    """Write the file, which must not exist, about the grants in one log; counts by table. `account`: see `meta`.

    Raises `Rejected`: `exists`.
    """
    if path.exists():
        raise Rejected("exists", f"{path} exists already")
    history = [grant for grant in store.grants.history() if grant.log == log]
    locks = {grant.lock for grant in history}
    reads = [row for row in store.reads.all() if row["lock"] in locks]
    ids = {row["id"] for row in reads}
    messages = [row for row in store.seen.messages() if row["lock"] in locks]
    tables: dict[str, list[dict[str, Any]]] = {
        "meta": [
            {"name": name, "value": value}
            for name, value in (
                ("format", FORMAT),
                ("oin", config.oin),
                ("agency", config.name),
                ("log", log),
                ("exported", str(now)),
                *([] if account is None else [("account", f"{account[0]}:{account[1].hex()}")]),
            )
        ],
        "grants": _grants(store, history),
        "reads": [{name: row[name] for name in _READ_COLUMNS} for row in reads],
        "releases": [dict(row) for row in store.reads.releases() if row["read"] in ids],
        "messages": [{name: row[name] for name in _COLUMNS["messages"]} for row in messages],
        "checkpoints": [dict(row) for row in store.seen.checkpoints() if row["origin"] == log],
        "contradictions": [dict(row) for row in store.seen.contradictions() if row["origin"] == log],
    }
    database = open_sqlite_utils(path)
    try:
        with database.conn:
            for name, columns in _COLUMNS.items():
                database.table(name).create(columns)
                database.table(name).insert_all(tables[name])
        database.conn.execute("PRAGMA journal_mode=DELETE").fetchall()  # one file, not three
    finally:
        database.conn.close()
    return {name: len(rows) for name, rows in tables.items() if name != "meta"}


def _grants(store: Store, history: Sequence[StoredGrant]) -> list[dict[str, Any]]:
    rows = []
    for grant in history:
        sealed = grant.answer.sealed
        rows.append(
            {
                "id": grant.id,
                "version": sealed.terms.version,
                "slot": sealed.slot,
                "lock": sealed.terms.lock,
                "state": grant.state,
                "received": grant.received,
                "terms": canonical_bytes(sealed.terms).decode(),
                "vp_token": canonical_bytes(dict(grant.answer.vp_token)).decode(),
                "request": store.requests.object_token(grant.id, grant.request_hash),
                "opening_key": sealed.opening_key,
                "grant_index": grant.grant_index,
                "proof": sealed.proof,
                "mandate": sealed.mandate,
                "cosigned": canonical_bytes(sealed.cosigned).decode() if sealed.mandate else None,
            }
        )
    return rows


_COLUMNS: dict[str, dict[str, type]] = {
    "meta": {"name": str, "value": str},
    "grants": {
        "id": str, "version": int, "slot": int, "lock": str, "state": str, "received": int, "terms": str,
        "vp_token": str, "request": str, "opening_key": str, "grant_index": int, "proof": str,
        "mandate": str, "cosigned": str,
    },
    "reads": {
        "id": str, "slot": int, "created": int, "state": str, "code": str, "token": str, "n": int,
        "leaf_index": int, "opening_key": str, "proof": str, "evidence": str, "statuses": str,
    },
    "releases": {"read": str, "operator": str, "outcome": str},
    "messages": {"jti": str, "slot": int, "kind": str, "token": str, "received": int},
    "checkpoints": {"origin": str, "size": int, "note": str},
    "contradictions": {"origin": str, "kept": str, "seen": str, "found": int},
}  # fmt: skip
