"""Every `regie ... serve` takes the files of TLS, and does not start in plain HTTP when they do not fit."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from auditor.config import Config
from consentlog.config import LogConfig, WitnessConfig
from issuer.config import IssuerConfig
from registrar.config import RegistrarConfig
from service.command import root
from service.home import Home
from service.tls import make_pki
from tests.service.test_tls import LOCAL, NOW
from verifier.config import VerifierConfig

URL = "https://localhost:8443"
TRUST: Any = {"trust_list": "trust-list.jwt", "registrar": {}}
ROLES = {
    "issuer serve": IssuerConfig(role="issuer", url=URL, name="I"),
    "verifier serve": VerifierConfig(role="verifier", url=URL, oin="0" * 20, name="V", log="log/1", **TRUST),
    "log serve": LogConfig(role="log", origin="log/1", url=URL, **TRUST),
    "log witness serve": WitnessConfig(role="witness", name="w", url=URL, **TRUST),
    "auditor cosign": Config(role="auditor", log="log/1", url=URL, name="a", **TRUST),
    "registrar serve": RegistrarConfig(role="registrar", name="R", url=URL),
}


@pytest.mark.parametrize("words", ROLES)
def test_role_with_half_of_its_tls_does_not_start(tmp_path: Path, words: str) -> None:
    home = Home(tmp_path / "home").create()
    home.write_config(ROLES[words])
    files = make_pki(Home(tmp_path / "pki").create(), LOCAL, days=1, now=NOW)
    for options in (
        ["--tls-cert", str(files.certificate)],
        ["--tls-key", str(files.key)],
        ["--tls-cert", str(files.key), "--tls-key", str(files.key)],
    ):
        done = CliRunner().invoke(root, [*words.split(), "--home", str(home.path), "--port", "0", *options])
        assert done.exit_code == 1, done.output
        assert "(bad_tls)" in done.stderr
        assert "listening" not in done.output
