"""What `test_every_limit` sends: each function hands a parser something of exactly the size it is given."""

import json
from collections.abc import Mapping
from typing import Any

from protocol import (
    asker,
    canonical,
    checkpoint,
    consent_api,
    credential_request,
    dcql,
    issuer_jwt,
    key_binding,
    key_proof,
    merkle,
    note,
    openid4vp,
    paper_form,
    policy,
    reading,
    receipt,
    revocation_code,
    status_list,
    terms,
    tiles,
    trust_list,
)
from protocol.canonical import b64u_encode, convert, sha256, to_builtins
from protocol.errors import Rejected
from protocol.fraud_form import SlotSkipped, Transcript
from protocol.keys import Es256Private
from tests.protocol import builders as b
from tests.protocol import dealing as d
from tests.protocol import granting as g
from tests.protocol import strangers
from tests.protocol import witnessed_log as w
from tests.protocol.peer_input import forge, payload_of
from tests.protocol.peer_input_openid import STATE, read_response
from tests.protocol.spoiling import dump

NOW = b.NOW
X5C = {"x5c": b.AGENCY.x5c}
TOWN = g.town()
TERMS = to_builtins(TOWN.terms)
ELEMENT = to_builtins(TOWN.asked.element)
READ = payload_of(TOWN.make_read(g.POSTCODE))
B32 = b64u_encode(bytes(32))
DEPOSIT_REQUEST = {
    "terms": to_builtins(d.dealt(3, 5).town.terms),
    "slot": 1,
    "opening_key": B32,
    "proof": "proof",
    "deposit": b64u_encode(bytes(300)),
}
PAPER = w.PaperLog()
PAPER.grant()
PAPER.head()
LINE = w.WITNESSES[0].sign(PAPER.body(), time=NOW)
CARD = b.credential()
CARD_JWT = CARD.partition("~")[0]
PRESENTED = f"{CARD_JWT}~"
BINDING = payload_of(b.present(CARD, []).rpartition("~")[2])


def spaced(value: Any, size: int) -> bytes:
    """JSON with so many spaces that it has `size` bytes."""
    text = json.dumps(value).encode("ascii")
    assert len(text) <= size
    return text[:-1] + b" " * (size - len(text)) + text[-1:]


def token_of(
    size: int, payload: Mapping[str, Any], key: Es256Private, typ: str, *, in_payload: bool = False, **header: Any
) -> str:
    """A compact JWS of exactly `size` characters, filled up with a member `x` in its header (or payload).

    base64 does not have every length: spaces in the other part make up for it.
    """
    head = {"alg": "ES256", "typ": typ, **header}
    filled, other = (dict(payload), head) if in_payload else (head, dict(payload))
    for spaces in range(3):
        fixed = b64u_encode(dump(other) + b" " * spaces)
        room = size - len(fixed) - len("..") - 86
        if room % 4 != 1:
            length = room // 4 * 3 + (0, 0, 1, 2)[room % 4] - len(dump({**filled, "x": ""}))
            part = b64u_encode(dump({**filled, "x": "x" * length}))
            signing_input = f"{fixed}.{part}" if in_payload else f"{part}.{fixed}"
            return f"{signing_input}.{b64u_encode(key.sign(signing_input.encode()))}"
    raise AssertionError("no such size")


def parts(count: int) -> object:
    """An array of objects with one member each; colons and spaces that are no part of anything are not counted."""
    objects, arrays = divmod(count - 1, 2)
    items = [b'{"a:b"\n :0}'] * objects + [b"[]"] * arrays
    return canonical.parse_json(b"[" + b",".join(items) + b"]", max_bytes=2**22)


def nested_object(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth - 1):
        value = {"a": value}
    return value


def fields(count: int, text: str = "x") -> list[str]:
    return [f"{text}{i}" for i in range(count)]


def read_terms(**members: Any) -> object:
    return terms.parse_terms({**TERMS, **members})


def read_element(**members: Any) -> object:
    return terms.parse_element(b64u_encode(canonical.canonical_bytes({**ELEMENT, **members})))


def element_of(size: int) -> object:
    return terms.parse_element(b64u_encode(spaced(ELEMENT, size)))


def many_terms(count: int) -> object:
    claims = [{**TERMS["claims"][0], "credential": f"c{i}"} for i in range(count)]
    return canonical.convert({**TERMS, "claims": claims}, terms.Terms)


def operators_of(count: int) -> object:
    """One is enough, so there is one piece."""
    return read_terms(operators={"needed": 1, "members": fields(count), "pieces": [B32]})


def pieces_of(count: int) -> object:
    pieces = [b64u_encode(sha256(bytes([i]))) for i in range(count)]
    return canonical.convert({"needed": 3, "members": fields(5), "pieces": pieces}, terms.Operators)


def many_asked(count: int) -> object:
    return read_element(
        claims=[{**ELEMENT["claims"][0], "credential": name} for name in ["adres", *fields(count - 1)]]
    )


def read_of(size: int) -> object:
    return reading.parse_read(token_of(size, READ, b.AGENCY.key, reading.READ_TYPE, **X5C))


def ticket_of(size: int) -> object:
    token = token_of(size, payload_of(g.TICKET), b.AGENCY.key, reading.TICKET_TYPE, **X5C)
    return reading.verify_ticket(token, b.agency(), TOWN.terms, NOW)


def ticket_ending(seconds: int) -> object:
    return reading.verify_ticket(g.ticket(exp=NOW + seconds), b.agency(), TOWN.terms, NOW)


def decided_at(seconds: int) -> object:
    """A READ of then is decided now."""
    read = reading.verify_read(TOWN.make_read(g.POSTCODE, iat=NOW - seconds), b.agency(), NOW)
    state = reading.GrantState(slot=TOWN.slot, revoked=False, share_present=True, reads_done=0)
    return reading.decide_read(TOWN.terms, read, state=state, reply_key=g.REPLY.public_bytes(), now=NOW)


def read_with(**members: Any) -> object:
    return canonical.convert({**READ, **members}, reading.Read)


def binding(token: str) -> object:
    return key_binding.verify_key_binding(
        token, PRESENTED, b.HOLDER.public, audience=b.AGENCY.client_id, nonce=b.NONCE, now=NOW
    )


def binding_ahead(seconds: int) -> object:
    return binding(forge({**BINDING, "iat": NOW + seconds}, b.HOLDER, "kb+jwt"))


def credential_ahead(seconds: int) -> object:
    payload = {**payload_of(CARD_JWT), "iat": NOW + seconds}
    token = forge(payload, b.ISSUER.key, "dc+sd-jwt", {"x5c": b.ISSUER.x5c})
    return issuer_jwt.verify_issuer_jwt(token, b.TRUST, NOW)


def status(**members: Any) -> status_list.StatusList:
    lst = status_list.encode_list(1, [0])
    payload = {"sub": b.STATUS_URI, "iat": NOW, "status_list": {"bits": 1, "lst": lst}, **members}
    return status_token(forge(payload, b.ISSUER.key, "statuslist+jwt", {"x5c": b.ISSUER.x5c}))


def status_token(token: str) -> status_list.StatusList:
    return status_list.verify_status_token(token, uri=b.STATUS_URI, roots=[b.ISSUER.root], now=NOW)


def ttl(seconds: int) -> None:
    """A `ttl` beyond the bounds is not refused but clamped."""
    if status(ttl=seconds).ttl != seconds:
        raise Rejected("clamped")


def listed(**changes: Any) -> object:
    payload = {**to_builtins(b.TRUST), **changes}
    token = forge(payload, b.REGISTRAR, trust_list.TRUST_LIST_TYP)
    return trust_list.verify_trust_list(token, b.REGISTRAR.public, NOW)


def former_policies(count: int) -> object:
    former = [{"policy": "quorum none\n", "until": NOW}] * count
    return listed(logs=[{**to_builtins(b.TRUST.logs[0]), "former": former}])


def retired_keys(count: int) -> object:
    retired = [{"vkey": "k", "until": NOW}] * count
    return listed(logs=[{**to_builtins(b.TRUST.logs[0]), "retired": retired}])


def roots(count: int) -> object:
    return listed(issuers=[{**to_builtins(b.issuer()), "roots": b.ISSUER.roots * count}])


def conditions(count: int) -> object:
    asked = {"vct": b.ADRES, "path": ["postcode"], "op": "equal", "value": "1011AB"}
    cohort = {"mode": "view", "answers": "yes_no", "asked_by": "0" * 20, "question": [asked] * count}
    agency = to_builtins(b.agency())
    agency["services"][0].update(cohort)
    return listed(agencies=[agency])


def proof(count: int) -> None:
    """A leaf at the far left of a tree with so many levels."""
    root = bytes(32)
    for _ in range(count):
        root = merkle.node_hash(root, bytes(32))
    merkle.verify_inclusion(bytes(32), 0, 2**count, [bytes(32)] * count, root)


def tree_size(size: int) -> object:
    return checkpoint.parse_checkpoint_body(f"{w.ORIGIN}\n{size}\n{note.encode_base64(bytes(32))}\n")


def tile(level: int = 0, n: int = 0) -> object:
    digits = f"{n:0{-(-len(str(n)) // 3) * 3}d}"
    groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
    return tiles.parse_tile_path(
        "/".join(["tile", str(level), *(f"x{group}" for group in groups[:-1]), groups[-1]])
    )


def entry(size: int) -> None:
    """What has no length prefix is our own mistake."""
    try:
        tiles.parse_entries(tiles.encode_entries([bytes(size)]), 1)
    except ValueError as error:
        raise Rejected("our_mistake") from error


def note_of(size: int) -> object:
    room = size - len(f"\n\n{LINE}".encode())
    return note.parse_note(f"{'x' * room}\n\n{LINE}")


def vkey(length: int) -> object:
    name, public = "n" * length, bytes([1]) + bytes(32)
    key_id = canonical.sha256(name.encode(), b"\n", public)[:4]
    return note.parse_vkey(f"{name}+{key_id.hex()}+{note.encode_base64(public)}")


def signature_of(size: int) -> object:
    return note.parse_signature_lines(f"\u2014 name {note.encode_base64(bytes(4 + size))}\n")


def cosigned_at(time: int) -> object:
    line = w.WITNESSES[0].sign(PAPER.body(), time=time)
    return note.verify_signatures(PAPER.body(), note.parse_signature_lines(line), [w.WITNESSES[0].key])


def quorum_at(offset: int) -> object:
    return policy.satisfied(w.POLICY, PAPER.checkpoint([NOW + offset] * 3), NOW)


def policy_with(logs: int = 1, witnesses: int = 1, groups: int = 0) -> object:
    lines = [f"log {w.signer(f'log{i}').key}" for i in range(logs)]
    cosigners = [w.signer(f"w{i}", note.SignatureType.COSIGNATURE).key for i in range(witnesses)]
    lines += [f"witness w{i} {key}" for i, key in enumerate(cosigners)]
    members = ["w0", *(f"g{i}" for i in range(groups))]
    lines += [f"group g{i} 1 {members[i]}" for i in range(groups)]
    return policy.parse_policy("\n".join([*lines, f"quorum {members[-1]}", ""]))


def policy_of(size: int) -> object:
    rest = "quorum none\n"
    return policy.parse_policy("#" * (size - len(rest) - 1) + "\n" + rest)


def extra(size: int) -> object:
    proof = receipt.make_tlog_proof(0, [], PAPER.checkpoint())
    line = f"extra {note.encode_base64(bytes(size))}"
    return receipt.parse_tlog_proof(proof.replace("\nindex", f"\n{line}\nindex", 1))


def url(length: int) -> str:
    return "https://a.example/" + "b" * (length - len("https://a.example/"))


def response(vp_token: dict[str, list[str]]) -> object:
    return read_response({"vp_token": vp_token, "state": STATE})


def proof_of(nonce: str = "n", size: int = 0) -> object:
    claims, header = {"aud": b.ISSUER_ID, "iat": NOW, "nonce": nonce}, {"jwk": b.HOLDER.public.jwk()}
    if not size:
        return key_proof.parse_key_proof(forge(claims, b.HOLDER, key_proof.KEY_PROOF_TYPE, header))
    return key_proof.parse_key_proof(token_of(size, claims, b.HOLDER, key_proof.KEY_PROOF_TYPE, **header))


def proof_at(iat: int) -> object:
    claims, header = {"aud": b.ISSUER_ID, "iat": iat, "nonce": "n"}, {"jwk": b.HOLDER.public.jwk()}
    proof = key_proof.parse_key_proof(forge(claims, b.HOLDER, key_proof.KEY_PROOF_TYPE, header))
    return key_proof.verify_key_proofs([proof], audience=b.ISSUER_ID, now=NOW)


def copies(count: int) -> object:
    body = {"credential_configuration_id": "adres", "proofs": {"jwt": fields(count)}}
    return credential_request.parse_credential_request(json.dumps(body), encrypted=False)


def queries(count: int) -> object:
    one = {"format": "dc+sd-jwt", "meta": {"vct_values": [b.ADRES]}}
    return dcql.parse_query({"credentials": [{**one, "id": name} for name in fields(count)]})


def query_options(count: int) -> object:
    one = {"id": "a", "format": "dc+sd-jwt", "meta": {"vct_values": [b.ADRES]}}
    return dcql.parse_query({"credentials": [one], "credential_sets": [{"options": [["a"]] * count}]})


def query_claims(claims: list[Any]) -> object:
    one = {"id": "a", "format": "dc+sd-jwt", "meta": {"vct_values": [b.ADRES]}, "claims": claims}
    return dcql.parse_query({"credentials": [one]})


def link(size: int) -> object:
    link = openid4vp.build_authorization_url(b.AGENCY.client_id, "https://a.example/1") + "&x="
    return openid4vp.parse_authorization_url(link + "x" * (size - len(link)))


def paper_form_of(sheets: int) -> object:
    count = sheets * paper_form.ROWS_PER_SHEET
    rows = tuple(paper_form.Row("urn:a", f"n{number}", True) for number in range(count))
    return paper_form.Form("x", "https://a.example/b", "s", 1, 1, None, rows).sheets


def paper_qr(size: int) -> object:
    bare = len(revocation_code.format_paper_qr("https://a.example/", g.CODE))
    return revocation_code.parse_paper_qr(
        revocation_code.format_paper_qr("https://a.example/" + "a" * (size - bare), g.CODE)
    )


def code(size: int) -> object:
    code = revocation_code.format_code(g.CODE)
    return revocation_code.parse_code(code + " " * (size - len(code)))


def body(kind: type[Any], good: Any, size: int, maximum: int) -> object:
    return consent_api.parse_body(spaced(good, size), kind, max_bytes=maximum)


def openings(count: int) -> object:
    one = {"index": 1, "type": "grant", "opening_key": B32, "opening": "{}"}
    return canonical.convert({"openings": [one] * count, "size": 1}, consent_api.OpeningsAnswer)


def run_of_leaves(count: int) -> object:
    """The evidence of a skipped slot, with so many leaves."""
    run = [{"index": n, "leaf": "AAAA", "hashes": ""} for n in range(count)]
    return convert({"kind": "slot_skipped", "checkpoint": "x", "run": run}, SlotSkipped)


def transcript(size: int) -> object:
    """A transcript of so many bytes."""
    leaves = b64u_encode(bytes(size))
    return convert({"kind": "transcript", "checkpoint": "x", "leaves": leaves}, Transcript)


def registrations(count: int) -> object:
    """A request with so many registration certificates of its asker."""
    trust = strangers.trust()
    who, _, leaf = asker.verify_asker([strangers.SHOP.leaf], strangers.SHOP.client_id, trust, NOW)
    return asker.verify_registrations([strangers.registration()] * count, who, leaf, trust, NOW)
