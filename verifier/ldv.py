"""An agency's READs as records of Logboek Dataverwerkingen 0.8: one for each READ, which is about one resident.

Whom a record is about is the agency's own random name of the agreement, encrypted: the same agreement gives the
same text, so that a log can be asked for one person, and only who has this home's key can tell which it is. Pure.
"""

from protocol.canonical import b64u_decode, b64u_encode, hkdf_sha256, hmac_sha256, sha256
from protocol.errors import Rejected
from protocol.ldv import MILLISECONDS, Record, processing_activity, status_of
from protocol.seal import NONCE_BYTES, aead_open, aead_seal
from verifier.processing import Processing

SUBJECT_TYPE = "urn:regie:agreement"
"""`dpl.core.data_subject_id_type`: no BSN, which the agency may not even know."""
_SUBJECT = b"regie/ldv/subject/v1"
_NONCE = b"regie/ldv/nonce/v1"
_IDS = b"regie/ldv/v1"
MAX_SUBJECT_BYTES = 256


def record_of(processing: Processing, oin: str, key: bytes) -> Record:
    """The record of one READ; `key`: 32 bytes of this home."""
    trace_id, span_id = _ids(processing)
    start = processing.at * MILLISECONDS
    attributes: dict[str, str | int] = {
        "dpl.core.processing_activity_id": processing_activity(oin, processing.service, processing.version),
        "dpl.core.data_subject_id": encrypt_subject(key, processing.grant),
        "dpl.core.data_subject_id_type": SUBJECT_TYPE,
    }
    if processing.entry is not None:
        attributes["regie.entry"] = processing.entry
    if processing.refusal is not None:
        attributes["regie.refusal"] = processing.refusal
    return Record(
        trace_id,
        span_id,
        "read",
        status_of(processing.refusal),
        start,
        start + (processing.took or 0),
        processing.parent,
        attributes,
    )


def _ids(processing: Processing) -> tuple[str, str]:
    """Of the READ's own span; of one from before traces, ids that follow from it, the same in every export."""
    if processing.trace is not None:
        _, trace_id, span_id, _ = processing.trace.split("-")
        return trace_id, span_id
    name = sha256(_IDS, processing.read.encode()).hex()
    return name[:32], name[32:48]


def encrypt_subject(key: bytes, subject: str) -> str:
    """XChaCha20-Poly1305 under a nonce that follows from key and subject: that two are equal is seen, and nothing
    else is.
    """
    plaintext = subject.encode()
    nonce = hmac_sha256(hkdf_sha256(key, _NONCE), plaintext)[:NONCE_BYTES]
    return b64u_encode(nonce + aead_seal(hkdf_sha256(key, _SUBJECT), nonce, plaintext, _SUBJECT))


def decrypt_subject(key: bytes, text: str) -> str:
    """Which agreement a record is about. Raises `Rejected`: `bad_subject`."""
    try:
        data = b64u_decode(text, max_bytes=MAX_SUBJECT_BYTES)
        return aead_open(hkdf_sha256(key, _SUBJECT), data[:NONCE_BYTES], data[NONCE_BYTES:], _SUBJECT).decode()
    except Rejected as error:
        raise Rejected("bad_subject", "this is no data subject of a record of this home") from error
