"""Certificate chains: what is accepted, and every way a chain can lie."""

import datetime
import itertools
from typing import Any

import pytest
from cryptography import x509 as cx
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID, ObjectIdentifier
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import x509
from protocol.errors import Rejected
from protocol.keys import Es256Private
from tests.protocol import builders as b
from tests.protocol.mutations import json_values, spoiled_bytes, spoiled_text

DER = serialization.Encoding.DER
BEFORE, AFTER = b.NOW - b.DAY, b.NOW + b.DAY
_serial = itertools.count(100)


def name(text: str) -> cx.Name:
    return cx.Name([cx.NameAttribute(NameOID.COMMON_NAME, text)])


def usage(**bits: bool) -> cx.KeyUsage:
    names = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return cx.KeyUsage(**{bit: bits.get(bit, False) for bit in names})


def certificate(
    subject: str,
    issuer: str,
    signer: Any,
    key: Any,
    *,
    ca: bool | None = None,
    path_length: int | None = None,
    key_usage: cx.KeyUsage | None = None,
    extra: tuple[tuple[cx.ExtensionType, bool], ...] = (),
    before: int = BEFORE,
    after: int = AFTER,
    algorithm: Any = hashes.SHA256(),  # noqa: B008
) -> bytes:
    """Any certificate at all, also those that `make_root` and `make_leaf` never write."""
    builder = (
        cx.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key)
        .serial_number(next(_serial))
        .not_valid_before(datetime.datetime.fromtimestamp(before, datetime.UTC))
        .not_valid_after(datetime.datetime.fromtimestamp(after, datetime.UTC))
    )
    if ca is not None:
        builder = builder.add_extension(cx.BasicConstraints(ca=ca, path_length=path_length), critical=True)
    if key_usage is not None:
        builder = builder.add_extension(key_usage, critical=True)
    for extension, critical in extra:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(signer, algorithm).public_bytes(DER)


ROOT_KEY, MIDDLE_KEY, LEAF_KEY = b.es256("x/root"), b.es256("x/middle"), b.es256("x/leaf")


def root(**changes: Any) -> bytes:
    return certificate("root", "root", ROOT_KEY.key, ROOT_KEY.public.key, **{"ca": True, **changes})


def middle(subject: str = "middle", issuer: str = "root", **changes: Any) -> bytes:
    signer = ROOT_KEY if issuer == "root" else MIDDLE_KEY
    return certificate(subject, issuer, signer.key, MIDDLE_KEY.public.key, **{"ca": True, **changes})


def leaf(issuer: str = "root", signer: Es256Private = ROOT_KEY, **changes: Any) -> bytes:
    arguments = {"ca": False, "key": LEAF_KEY.public.key, **changes}
    return certificate("leaf", issuer, signer.key, **arguments)


def refused(code: str, chain: list[bytes], roots: list[bytes], now: int = b.NOW) -> None:
    with pytest.raises(Rejected) as caught:
        x509.verify_chain(chain, roots, now)
    assert caught.value.code == code


def test_own_leaf_under_own_root_is_verified() -> None:
    verified = x509.verify_chain([b.ISSUER.leaf], [b.ISSUER.root], b.NOW)
    assert verified.key == b.ISSUER.key.public
    assert verified.san_dns == ("issuer.voorbeeld.example",)
    assert verified.san_uri == (b.ISSUER_ID,)
    assert verified.common_name == "issuer"
    assert verified.der == b.ISSUER.leaf
    assert verified.not_after == b.NOW + 400 * b.DAY


def test_builders_are_functions_of_their_arguments() -> None:
    again = b.party("issuer", san_dns="issuer.voorbeeld.example", san_uri=b.ISSUER_ID)
    assert (again.root, again.leaf) == (b.ISSUER.root, b.ISSUER.leaf)


def test_leaf_without_any_name_is_not_made() -> None:
    with pytest.raises(ValueError, match="dNSName"):
        x509.make_leaf(LEAF_KEY.public, "x", ROOT_KEY, root(), serial=1, not_before=BEFORE, not_after=AFTER)


def test_chain_with_intermediates_is_verified() -> None:
    chain = [leaf("middle", MIDDLE_KEY), middle()]
    assert x509.verify_chain(chain, [root()], b.NOW).key == LEAF_KEY.public


def test_second_root_of_the_same_name_is_tried() -> None:
    other = certificate("root", "root", MIDDLE_KEY.key, MIDDLE_KEY.public.key, ca=True)
    assert x509.verify_chain([leaf()], [other, root()], b.NOW).key == LEAF_KEY.public


def test_leaf_under_a_root_that_nobody_listed_is_refused() -> None:
    refused("untrusted_chain", [b.STRANGER.leaf], [b.ISSUER.root])
    refused("untrusted_chain", [leaf()], [])


def test_forged_signature_under_the_right_name_is_refused() -> None:
    refused("bad_chain", [leaf(signer=MIDDLE_KEY)], [root()])
    refused("bad_chain", [leaf("middle", ROOT_KEY), middle()], [root()])


def test_trust_anchor_in_x5c_is_refused() -> None:
    refused("bad_chain", [b.ISSUER.leaf, b.ISSUER.root], [b.ISSUER.root])
    refused("bad_chain", [b.ISSUER.root], [b.ISSUER.root])


def test_self_signed_leaf_is_refused() -> None:
    own = certificate("leaf", "leaf", LEAF_KEY.key, LEAF_KEY.public.key, ca=False)
    refused("bad_chain", [own], [root()])
    refused("bad_chain", [own], [own])


def test_second_root_as_intermediate_is_refused() -> None:
    other = certificate("other", "other", MIDDLE_KEY.key, MIDDLE_KEY.public.key, ca=True)
    refused("bad_chain", [leaf("other", MIDDLE_KEY), other], [root()])


def test_ca_as_leaf_is_refused() -> None:
    refused("bad_chain", [middle()], [root()])


def test_leaf_that_issues_another_leaf_is_refused() -> None:
    refused("bad_chain", [leaf("middle", MIDDLE_KEY), middle(ca=False)], [root()])
    refused("bad_chain", [leaf("middle", MIDDLE_KEY), middle(ca=None)], [root()])


def test_root_that_is_no_ca_is_refused() -> None:
    refused("bad_chain", [leaf()], [root(ca=False)])


def test_key_usage_is_heeded_when_present() -> None:
    signing, issuing = usage(digital_signature=True), usage(key_cert_sign=True)
    assert x509.verify_chain([leaf(key_usage=signing)], [root(key_usage=issuing)], b.NOW)
    refused("bad_chain", [leaf(key_usage=usage(key_agreement=True, encipher_only=False))], [root()])
    refused("bad_chain", [leaf()], [root(key_usage=signing)])
    refused("bad_chain", [leaf("middle", MIDDLE_KEY), middle(key_usage=signing)], [root()])


def test_path_length_is_heeded() -> None:
    chain = [leaf("middle", MIDDLE_KEY), middle()]
    assert x509.verify_chain(chain, [root(path_length=1)], b.NOW)
    refused("bad_chain", chain, [root(path_length=0)])
    longer = [leaf("middle 2", MIDDLE_KEY), middle("middle 2", "middle"), middle()]
    assert x509.verify_chain(longer, [root(path_length=2)], b.NOW)
    refused("bad_chain", longer, [root(path_length=1)])
    longer[2] = middle(path_length=0)
    refused("bad_chain", longer, [root()])


def test_chain_length_is_limited() -> None:
    names = [f"middle {i}" for i in range(x509.MAX_CHAIN)]
    middles = [middle(names[0])] + [middle(own, above) for above, own in itertools.pairwise(names)]
    longest = [leaf(names[-2], MIDDLE_KEY), *reversed(middles[:-1])]
    assert len(longest) == x509.MAX_CHAIN
    assert x509.verify_chain(longest, [root()], b.NOW)
    refused("bad_chain", [leaf(names[-1], MIDDLE_KEY), *reversed(middles)], [root()])
    refused("bad_chain", [], [root()])


def test_chain_in_the_wrong_order_is_refused() -> None:
    refused("bad_chain", [middle(), leaf("middle", MIDDLE_KEY)], [root()])
    refused("bad_chain", [leaf("middle", MIDDLE_KEY), leaf()], [root()])


@pytest.mark.parametrize("who", ["leaf", "middle", "root"])
def test_dates_of_every_certificate_count_also_after_a_success(who: str) -> None:
    window = {"before": b.NOW - 10, "after": b.NOW + 10}
    chain = [
        leaf("middle", MIDDLE_KEY, **(window if who == "leaf" else {})),
        middle(**(window if who == "middle" else {})),
    ]
    roots = [root(**(window if who == "root" else {}))]
    for now in (b.NOW - 10, b.NOW, b.NOW + 10):
        assert x509.verify_chain(chain, roots, now)
    refused("certificate_not_yet_valid", chain, roots, b.NOW - 11)
    refused("certificate_expired", chain, roots, b.NOW + 11)


def test_only_p256_keys_are_accepted() -> None:
    for key in (
        ec.generate_private_key(ec.SECP384R1()),
        rsa.generate_private_key(65537, 2048),
        ed25519.Ed25519PrivateKey.generate(),
    ):
        refused("bad_key", [leaf(key=key.public_key())], [root()])


def test_only_sha256_signatures_are_accepted() -> None:
    refused("bad_certificate", [leaf(algorithm=hashes.SHA384())], [root()])
    refused("bad_certificate", [leaf()], [root(algorithm=hashes.SHA512())])


def test_unknown_critical_extension_is_refused_and_an_optional_one_is_not() -> None:
    odd = cx.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    assert x509.verify_chain([leaf(extra=((odd, False),))], [root()], b.NOW)
    refused("bad_certificate", [leaf(extra=((odd, True),))], [root()])


@pytest.mark.parametrize("critical", [True, False])
def test_name_constraints_are_not_ignored(critical: bool) -> None:
    only = cx.NameConstraints(permitted_subtrees=[cx.DNSName("elders.example")], excluded_subtrees=None)
    refused("bad_certificate", [leaf("middle", MIDDLE_KEY), middle(extra=((only, critical),))], [root()])


def test_leaf_without_names_has_none() -> None:
    verified = x509.verify_chain([leaf()], [root()], b.NOW)
    assert (verified.san_dns, verified.san_uri, verified.common_name) == ((), (), "leaf")


def test_dns_names_compare_in_lower_case() -> None:
    san = cx.SubjectAlternativeName([cx.DNSName("Loket.Voorbeeld.example")])
    verified = x509.verify_chain([leaf(extra=((san, False),))], [root()], b.NOW)
    assert verified.san_dns == ("loket.voorbeeld.example",)


def test_larger_certificates_are_refused_unread() -> None:
    san = cx.SubjectAlternativeName([cx.DNSName(f"{i}.voorbeeld.example") for i in range(400)])
    large = leaf(extra=((san, False),))
    assert len(large) > x509.MAX_CERTIFICATE_BYTES
    refused("bad_certificate", [large], [root()])


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_serial_number_is_positive() -> None:
    """RFC 5280 section 4.1.2.2; the first INTEGER after the version is the serial number."""
    good = x509.make_root(ROOT_KEY, "root", serial=0x55, not_before=BEFORE, not_after=AFTER)
    assert x509.subject_name(good)
    for serial in (b"\x00", b"\x85"):
        with pytest.raises(Rejected, match="bad_certificate"):
            x509.subject_name(good.replace(b"\x02\x01\x55", b"\x02\x01" + serial, 1))


def test_trailing_bytes_are_refused() -> None:
    refused("bad_certificate", [leaf() + b"\0"], [root()])


def test_x5c_round_trip_and_its_length_limit() -> None:
    chain = (b.ISSUER.leaf, middle())
    assert x509.parse_x5c(x509.x5c(chain)) == chain
    one = x509.x5c([b.ISSUER.leaf])
    assert len(x509.parse_x5c(one * x509.MAX_CHAIN)) == x509.MAX_CHAIN
    with pytest.raises(Rejected, match="bad_x5c"):
        x509.parse_x5c(one * (x509.MAX_CHAIN + 1))


@pytest.mark.parametrize("value", [None, [], {}, "x", [1], [None], [["x"]], 7])
def test_x5c_of_another_form_is_refused(value: object) -> None:
    with pytest.raises(Rejected, match="bad_x5c"):
        x509.parse_x5c(value)


@pytest.mark.parametrize("text", ["", "A", "AA", "AB==", "AA==\n", " AAAA", "AA-_", "é", "\ud800", "A" * 8192])
def test_x5c_is_padded_standard_base64_in_one_spelling(text: str) -> None:
    with pytest.raises(Rejected, match="bad_certificate"):
        x509.parse_x5c([text])


def test_thumbprint_is_the_x509_hash_of_openid4vp() -> None:
    assert len(x509.thumbprint_hash(b.AGENCY.leaf)) == 43
    assert b.AGENCY.client_id == "x509_hash:" + x509.thumbprint_hash(b.AGENCY.leaf)


def test_issuer_and_subject_names_meet() -> None:
    assert x509.issuer_name(b.AGENCY.leaf) == x509.subject_name(b.AGENCY.root)


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@settings(max_examples=300)
@given(spoiled_bytes(b.ISSUER.leaf))
def test_spoiled_leaf_raises_nothing_but_rejected(der: bytes) -> None:
    if der == b.ISSUER.leaf:
        return
    with pytest.raises(Rejected):
        x509.verify_chain([der], [b.ISSUER.root], b.NOW)


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@settings(max_examples=150)
@given(spoiled_bytes(b.ISSUER.root))
def test_spoiled_root_raises_nothing_but_rejected(der: bytes) -> None:
    try:
        x509.verify_chain([b.ISSUER.leaf], [der], b.NOW)
    except Rejected:
        return
    # A root's own signature is not what makes it trusted: only the bytes behind the signed part may differ.
    assert x509.subject_name(der) == x509.issuer_name(b.ISSUER.leaf)


@given(st.one_of(st.binary(max_size=80), st.just(b"")))
def test_noise_raises_nothing_but_rejected(der: bytes) -> None:
    with pytest.raises(Rejected):
        x509.verify_chain([der], [b.ISSUER.root], b.NOW)


@given(st.one_of(json_values, st.lists(spoiled_text(b.ISSUER.x5c[0]), max_size=3)))
def test_hostile_x5c_raises_nothing_but_rejected(value: object) -> None:
    try:
        chain = x509.parse_x5c(value)
    except Rejected:
        return
    assert x509.x5c(chain) == value
