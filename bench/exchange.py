"""What credentials cost on their way: issued in a batch of 20, shown in answer to a request, and verified.

*Verification* stands beside PyPI's `sd-jwt` and npm's `@sd-jwt/sd-jwt-vc` in one run: issuer JWT, 3 of 8
disclosures, KB-JWT. Every presentation is of another credential with another holder's key, as an agency meets
them, and all three read the same ones. Ours checks certificate chain, dates, nonce, audience and the key binding's
age; of the others neither looks at a chain, and `sd-jwt` looks at no date. Their issuer's key is parsed once.

*Issuance* goes from the offer to 20 verified copies, *answer* from asking to values that are verified and stored:
both sides, through the Flask applications, in one process. They stand beside the ES256 operations that they cannot
do without, with keys that are parsed already.
"""

import io
import itertools
import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from jwcrypto.jwk import JWK
from sd_jwt.verifier import SDJWTVerifier

from bench.pairs import PAIRS, Ratio, compare, compare_measured
from protocol import issuer_jwt
from protocol.canonical import b64u_decode, b64u_encode
from protocol.credential import verify_credential, verify_presentation
from protocol.disclosure import make_disclosure
from protocol.jws import sign_jws
from protocol.key_binding import sign_key_binding
from protocol.key_proof import sign_key_proof
from protocol.keys import Es256Private
from tests import npm
from tests.issuer.desk import open_desk
from tests.protocol import builders
from tests.protocol.builders import AGENCY, ISSUER, ISSUER_ID, NONCE, NOW
from tests.verifier.agency import Agency, Wallet, copy_form

VCT = "urn:example:bench:1"
NAMES = ("given", "family", "born", "street", "number", "postcode", "town", "country")
BATCH = 20
COPIES = 512
"""More than are verified in one slice, so that nothing is met again in it."""
PACKAGES = Path(npm.__file__).parent / "interop"
PROGRAM = Path(__file__).parent / "peers" / "verify.mjs"
AT_ONCE = 40
"""Verifications of one slice of the npm package: about 30 ms."""
AUDIENCE = AGENCY.client_id
PEER_KEY = JWK.from_json(json.dumps(ISSUER.key.public.jwk()))
TRUST = builders.trust_list(issuers=[builders.issuer(vcts=[VCT])])


def make_presentation(number: int) -> str:
    """Another credential of another holder for each number: 8 attributes, 3 of them shown."""
    random = builders.random_of(f"exchange {number}")
    holder = Es256Private.from_secret(random(48))
    made = [make_disclosure(name, f"value of {name}", random(16)) for name in NAMES]
    payload = {
        "iss": ISSUER_ID,
        "vct": VCT,
        "iat": NOW,
        "exp": NOW + 1000,
        "cnf": {"jwk": holder.public.jwk()},
        "_sd_alg": "sha-256",
        "_sd": sorted(b64u_encode(one.digest) for one in made),
    }
    jwt = sign_jws(payload, ISSUER.key, typ="dc+sd-jwt", header={"x5c": ISSUER.x5c})
    presented = "~".join((jwt, *(one.encoded for one in made[:3]), ""))
    return presented + sign_key_binding(presented, holder, audience=AUDIENCE, nonce=NONCE, iat=NOW)


def check(presentation: str) -> None:
    """What an agency does with a presentation."""
    verify_presentation(presentation, TRUST, now=NOW, audience=AUDIENCE, nonce=NONCE)


def peer(presentation: str) -> None:
    """The same with the reference library of RFC 9901."""
    SDJWTVerifier(presentation, lambda issuer, header: PEER_KEY, AUDIENCE, NONCE).get_verified_payload()


def two_signatures(presentation: str) -> Any:
    """What no verifier can do without: two ES256 checks with parsed keys."""
    key, algorithm = ISSUER.key.public.key, ec.ECDSA(hashes.SHA256())
    head, _, signature = presentation.partition("~")[0].rpartition(".")
    raw = b64u_decode(signature)
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))

    def bare() -> None:
        key.verify(der, head.encode(), algorithm)
        key.verify(der, head.encode(), algorithm)

    return bare


class NpmVerifier:
    """`@sd-jwt/sd-jwt-vc` in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def cpu_seconds(self) -> float:
        """CPU seconds of one verification, over a slice of them. Raises `RuntimeError` when it has stopped."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the npm verifier has no pipes")
        self._process.stdin.write(f"{AT_ONCE}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("the npm verifier has stopped")
        return int(answer) / AT_ONCE / 1e6


@contextmanager
def npm_verifier(presentations: list[str]) -> Iterator[NpmVerifier]:
    """The peer over these presentations. Raises `RuntimeError` where its packages are missing (`make parts`)."""
    program = npm.node()
    if program is None or npm.modules(PACKAGES) is None:
        raise RuntimeError("the npm packages are missing; run `make parts`")
    with tempfile.TemporaryDirectory() as folder:
        task = Path(folder) / "task.json"
        issuer = ISSUER.key.public.jwk()
        task.write_text(json.dumps({"issuer": issuer, "nonce": NONCE, "now": NOW, "presentations": presentations}))
        with subprocess.Popen(
            [str(program), str(PROGRAM), str(PACKAGES), str(task)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield NpmVerifier(process)
            finally:
                process.terminate()


def measure_verification() -> dict[str, Any]:
    """Ratios of CPU time; 1.0 is the base named in the key."""
    presentations = [make_presentation(number) for number in range(COPIES)]
    fresh, theirs = itertools.cycle(presentations), itertools.cycle(presentations)

    issuer_jwt._verdicts = issuer_jwt.Verdicts(1)  # nothing is met twice in a row, but all of the way is gone

    def ours() -> None:
        check(next(fresh))

    found: dict[str, Ratio] = {
        "ours_to_two_es256": compare(ours, two_signatures(presentations[0])),
        "sd_jwt_package_to_ours": compare(lambda: peer(next(theirs)), ours),
    }
    with npm_verifier(presentations) as verifier:
        for _ in range(PAIRS):
            verifier.cpu_seconds()  # until the compiler has seen what is hot
        found["sd_jwt_vc_npm_to_ours"] = compare_measured(verifier.cpu_seconds, ours)
    return {name: ratio.to_json() for name, ratio in found.items()}


def bare_es256(signatures: int, verifications: int) -> Callable[[], None]:
    """So many operations with keys at hand."""
    key, algorithm, message = ISSUER.key.key, ec.ECDSA(hashes.SHA256()), b"m" * 1000
    signature, public = key.sign(message, algorithm), key.public_key()

    def work() -> None:
        for _ in range(signatures):
            key.sign(message, algorithm)
        for _ in range(verifications):
            public.verify(signature, message, algorithm)

    return work


def measure_issuance(folder: Path) -> dict[str, Any]:
    """Offer, code, nonce, 20 proofs, 20 copies that the holder verifies: 40 signatures and 40 verifications."""
    desk = open_desk(folder / "issuer")
    trust = desk.trust
    random = builders.random_of("holders")

    def issue() -> None:
        now = desk.clock.now()
        token, nonce = desk.token("adres"), desk.nonce()
        holders = [Es256Private.from_secret(random(48)) for _ in range(BATCH)]
        proofs = [sign_key_proof(holder, audience=desk.url, nonce=nonce, iat=now) for holder in holders]
        answer: Any = desk.post_credential(token, "adres", proofs).json
        copies = [verify_credential(one["credential"], trust, now) for one in answer["credentials"]]
        if [copy.issuer_jwt.holder for copy in copies] != [holder.public for holder in holders]:
            raise RuntimeError("a copy is bound to another key")

    ratio = compare(issue, bare_es256(2 * BATCH, 2 * BATCH))
    return {"batch_of_20_to_bare_es256": ratio.to_json(), "ms_a_copy": round(ratio.candidate_us / BATCH / 1e3, 3)}


def measure_answer(folder: Path) -> dict[str, Any]:
    """Ask, verify the request, show two cards, encrypt, post, verify: 3 signatures and 5 verifications."""
    (folder / "agency").mkdir()
    agency = Agency(folder / "agency")
    wallet = Wallet(agency.clock, agency.log)

    def answer() -> None:
        request_id, link = agency.ask(once=True)
        request = wallet.open(agency, link)
        done = agency.post(request_id, copy_form(request, wallet.show(request)))
        if done.status_code != 200:
            raise RuntimeError(done.text)

    ratio = compare(answer, bare_es256(3, 5))
    return {"request_to_answer_to_bare_es256": ratio.to_json(), "ms": round(ratio.candidate_us / 1e3, 3)}


def measure() -> dict[str, Any]:
    """All three. The databases are in a folder that is gone afterwards."""
    pinned = json.loads((PACKAGES / "package.json").read_text())["dependencies"]
    with tempfile.TemporaryDirectory() as folder, redirect_stderr(io.StringIO()):  # a log line for each request
        return {
            "verification": measure_verification(),
            "issuance": measure_issuance(Path(folder)),
            "answer": measure_answer(Path(folder)),
            "npm": {"@sd-jwt/sd-jwt-vc": pinned["@sd-jwt/sd-jwt-vc"]},
        }
