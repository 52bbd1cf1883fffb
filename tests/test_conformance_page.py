"""docs/conformance.md names a test for each module of the OpenID suite, and every test it names is there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")
_TEST = re.compile(r"`(tests/[a-z0-9_/]+\.py)::(test_[a-z0-9_]+)`")

MODULES = {
    "oid4vci-1_0-issuer-": """
        metadata-test metadata-test-signed happy-flow happy-flow-additional-requests happy-flow-multiple-clients
        happy-flow-skip-notification batch-issuance fail-invalid-nonce fail-missing-proof
        fail-invalid-jwt-proof-signature fail-invalid-key-attestation-signature
        fail-unknown-credential-configuration fail-unknown-credential-identifier
        fail-unsupported-encryption-algorithm fail-on-access-token-in-query fail-client-attestation-exp-in-past
        fail-client-attestation-no-sub fail-client-attestation-pop-wrong-aud
        fail-invalid-client-attestation-signature fail-invalid-client-attestation-pop-signature
        fail-mismatched-client-attestation-pop-key""",
    "oid4vci-1_0-wallet-": """
        test-credential-issuance test-credential-issuance-notification test-batch-credential-issuance
        test-client-attestation-challenge
        happy-path-with-scopes-without-authorization-details-in-token-response""",
    "oid4vp-1final-verifier-": """
        happy-flow minimal-cnf-jwk request-uri-method-post request-uri-fetched-twice invalid-credential-signature
        invalid-kb-jwt-signature invalid-kb-jwt-aud invalid-kb-jwt-nonce invalid-sd-hash kb-jwt-iat-in-future
        kb-jwt-iat-in-past invalid-session-transcript""",
    "oid4vp-1final-wallet-": """
        happy-flow alternate-happy-flow request-uri-method-post no-claims-in-dcql-query
        fewer-claims-than-available optional-credential-set ignores-unusable-encryption-key
        multisigned-one-invalid-signature negative-test-invalid-client-id-prefix
        negative-test-invalid-request-object-signature negative-test-mismatched-client-id
        negative-test-missing-nonce negative-test-redirect-uri-with-direct-post
        negative-test-required-non-matching-credential negative-test-response-uri-not-client-id
        negative-test-unknown-transaction-data-type negative-test-wrong-expected-origins""",
}
"""The modules of the suite's plans for the final specifications, without their common beginning."""
LEFT_OUT = {"oid4vp-1final-verifier-invalid-session-transcript"}
"""Of mdoc."""
NAMES = [beginning + name for beginning, names in MODULES.items() for name in names.split()]


@cache
def functions_of(path: str) -> frozenset[str]:
    """Names of the test functions of a file."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def row_of(module: str) -> str:
    """The line of the page about a module."""
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{module}` |")]
    return row


def test_suite_has_as_many_modules_as_the_page_says() -> None:
    assert len(NAMES) == len(set(NAMES)) == 55


@pytest.mark.parametrize("module", NAMES)
def test_module_of_the_suite_has_a_test_or_a_reason(module: str) -> None:
    named = _TEST.search(row_of(module))
    assert (named is None) == (module in LEFT_OUT)
    if named is not None:
        # One test for each module, under its name, so that nobody has to look for it.
        assert named[2] == "test_" + module.replace("-", "_")


def test_every_test_that_the_page_names_is_there() -> None:
    named = _TEST.findall(PAGE)
    assert len(named) > len(NAMES)
    assert [f"{path}::{name}" for path, name in named if name not in functions_of(path)] == []
