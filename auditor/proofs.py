"""Fraud proofs as files: written under a name that tells what they are, read and verified offline."""

import os
from pathlib import Path

from protocol.canonical import b64u_decode
from protocol.errors import Rejected, Unavailable
from protocol.fraud_form import MAX_FRAUD_BYTES, FraudProof, parse_fraud_proof


def write_proof(folder: Path, data: bytes) -> Path:
    """Write a proof durably into `folder`, made where it is missing; its path. Raises `Unavailable`: `io`."""
    proof = parse_fraud_proof(data)
    kind = str(proof.evidence.__struct_config__.tag)
    path = folder / f"fraud-{kind}-{b64u_decode(proof.sha256).hex()[:16]}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        with beside.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    except OSError as error:
        raise Unavailable("io", f"{path} cannot be written: {error.strerror}") from error
    return path


def read_proof(path: Path) -> FraudProof:
    """The file at `path`, unverified. Raises `Rejected`: `too_large` and those of `parse_fraud_proof`."""
    with path.open("rb") as stream:
        data = stream.read(MAX_FRAUD_BYTES + 1)
    if len(data) > MAX_FRAUD_BYTES:
        raise Rejected("too_large", f"{path} is larger than {MAX_FRAUD_BYTES} bytes")
    return parse_fraud_proof(data)
