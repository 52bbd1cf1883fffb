"""`regie registrar` as a user's script drives it, and what it keeps when it is cut off."""

import json
import stat
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from protocol.errors import Unavailable
from protocol.keys import Es256Private, parse_jwk
from protocol.trust_list import Service, verify_trust_list
from registrar import store
from registrar.draft import new_draft
from registrar.store import RegistrarStore
from service.command import root
from service.home import Home
from service.trust import TrustSource
from tests.protocol import builders
from tests.registrar.test_lint import good
from tests.registrar.test_lists import EXAMPLES
from tests.registrar.test_register import log, witness

ISSUER = builders.party(
    "cli issuer", san_uri="https://i.example", not_before=int(time.time()) - 60, not_after=int(time.time()) + 10**6
)
AGENCY = builders.party(
    "cli agency", san_dns="a.example", not_before=int(time.time()) - 60, not_after=int(time.time()) + 10**6
)


class Registrar:
    """Runs commands on one home, always with --json."""

    def __init__(self, tmp_path: Path) -> None:
        self.folder = tmp_path
        self.home = tmp_path / "registrar"
        self.runner = CliRunner()

    def run(self, *arguments: str, text: str | None = None) -> Result:
        command = ["registrar", *arguments, "--home", str(self.home), "--json"]
        return self.runner.invoke(root, command, input=text)

    def done(self, *arguments: str, text: str | None = None) -> Mapping[str, Any]:
        result = self.run(*arguments, text=text)
        assert result.exit_code == 0, result.output
        answer: Mapping[str, Any] = json.loads(result.stdout)
        return answer

    def refused(self, *arguments: str, text: str | None = None) -> str:
        result = self.run(*arguments, text=text)
        assert result.exit_code == 1, result.output
        code: str = json.loads(result.stdout)["error"]["code"]
        assert result.stderr.startswith("refused: ")
        assert result.stderr.endswith(f"({code})\n")
        return code

    def file(self, name: str, entry: object) -> str:
        path = self.folder / name
        path.write_bytes(msgspec.json.encode(entry))
        return str(path)


@pytest.fixture
def registrar(tmp_path: Path) -> Registrar:
    made = Registrar(tmp_path)
    made.done("new", "--name", "Registrar van Voorbeeld")
    return made


def agency(**changes: Any) -> Any:
    return builders.agency(**{"roots": AGENCY.roots, "services": [], **changes})


def issuer(**changes: Any) -> Any:
    return builders.issuer(**{"roots": ISSUER.roots, **changes})


def fill(registrar: Registrar, service: Service | None = None) -> None:
    registrar.done("add-issuer", registrar.file("issuer.json", issuer()))
    registrar.done("add-agency", registrar.file("agency.json", agency()))
    registrar.done("add-log", registrar.file("log.json", log()))
    registrar.done("add-witness", registrar.file("w.json", witness()))
    registrar.done("add-witness", registrar.file("a.json", witness("a.example", auditing=True)))
    entry = registrar.file("service.json", service or builders.service())
    registrar.done("add-service", "--agency", builders.AGENCY_ID, entry)


def test_town_is_registered_signed_and_read_by_a_role(registrar: Registrar, tmp_path: Path) -> None:
    fill(registrar)
    signed = registrar.done("sign", "--days", "7")
    assert signed["version"] == 1
    assert signed["exp"] - signed["iat"] == 7 * 86_400
    jwk = json.loads((registrar.home / "registrar.jwk.json").read_text())
    source = TrustSource(Home(tmp_path / "role").create(), signed["trust_list"], jwk)
    trust = source.current(int(time.time()))
    assert trust.service(builders.AGENCY_ID, builders.SERVICE_ID, 1) == builders.service()
    assert "quorum quorum" in trust.log(builders.LOG_ORIGIN).policy
    assert registrar.done("sign")["version"] == 2
    assert source.current(int(time.time())).version == 2


def test_new_names_what_the_roles_need(tmp_path: Path) -> None:
    made = Registrar(tmp_path)
    answer = made.done("new", "--name", "R")
    assert set(answer) == {"home", "registrar", "trust_list"}
    parse_jwk(json.loads(Path(answer["registrar"]).read_text()))
    assert not Path(answer["trust_list"]).exists()
    key = made.home / "registrar-key.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(made.home.stat().st_mode) == 0o700


def test_key_of_a_registrar_is_never_replaced(registrar: Registrar) -> None:
    before = (registrar.home / "registrar-key.pem").read_bytes()
    assert registrar.refused("new", "--name", "Again") == "already_there"
    assert (registrar.home / "registrar-key.pem").read_bytes() == before


def test_refused_entry_leaves_the_draft(registrar: Registrar) -> None:
    fill(registrar)
    before = (registrar.home / "draft.json").read_bytes()
    changed = builders.service(longest_term=86_400)
    arguments = ("add-service", "--agency", builders.AGENCY_ID, registrar.file("s.json", changed))
    assert registrar.refused(*arguments) == "service_changed"
    assert registrar.refused("add-issuer", registrar.file("i.json", {"id": 1})) == "bad_form"
    assert (
        registrar.refused("add-agency", registrar.file("a.json", {**msgspec.to_builtins(agency()), "x": 1}))
        == "bad_form"
    )
    assert registrar.refused("remove", "witness", "nobody") == "not_listed"
    assert (registrar.home / "draft.json").read_bytes() == before


def test_entry_comes_from_stdin_too(registrar: Registrar) -> None:
    text = msgspec.json.encode(issuer()).decode()
    assert registrar.done("add-issuer", "-", text=text) == {"added": builders.ISSUER_ID, "kind": "issuer"}


def test_policy_of_a_file_is_listed(registrar: Registrar) -> None:
    policy = registrar.folder / "policy"
    policy.write_text(builders.log_policy())
    registrar.done("add-log", "--policy", str(policy), registrar.file("log.json", log()))
    registrar.done("sign")
    published = RegistrarStore(Home(registrar.home)).published()
    assert published is not None
    assert published.logs[0].policy == builders.log_policy()
    policy.write_text("quorum none\n")
    assert registrar.refused("add-log", "--policy", str(policy), registrar.file("log.json", log())) == "bad_policy"


@pytest.mark.parametrize(
    "arguments",
    [
        ("add-issuer",),
        ("add-issuer", "/nowhere"),
        ("add-service", "x"),
        ("new",),
        ("remove", "planet", "x"),
        ("sign", "x"),
    ],
)
def test_wrong_use_is_two(registrar: Registrar, arguments: tuple[str, ...]) -> None:
    assert registrar.run(*arguments).exit_code == 2


def test_home_that_is_no_registrars_is_refused(tmp_path: Path) -> None:
    made = Registrar(tmp_path)
    for arguments in (("sign",), ("show",), ("lint",), ("remove", "log", "x")):
        assert made.refused(*arguments) == "no_home"


def test_days_out_of_bounds_are_refused_and_no_version_is_spent(registrar: Registrar) -> None:
    assert registrar.refused("sign", "--days", "0") == "bad_days"
    assert registrar.refused("sign", "--days", "367") == "bad_days"
    assert registrar.done("sign")["version"] == 1


def test_show_and_lint_tell_what_there_is(registrar: Registrar) -> None:
    assert registrar.done("show")["signed"] is None
    human = CliRunner().invoke(root, ["registrar", "show", "--home", str(registrar.home)]).stdout
    assert "The list is empty" in human
    fill(registrar, good())
    registrar.done("sign")
    shown = registrar.done("show")
    assert shown["signed"]["version"] == 1
    assert shown["draft"]["issuers"][0]["id"] == builders.ISSUER_ID
    assert shown["remarks"] == registrar.done("lint")["remarks"] == []
    human = CliRunner().invoke(root, ["registrar", "show", "--home", str(registrar.home)]).stdout
    for text in ("version 1 is signed", builders.AGENCY_ID, f"{builders.SERVICE_ID}@1", "w.example", "a.example"):
        assert text in human
    registrar.done("remove", "witness", "a.example")
    assert [remark["code"] for remark in registrar.done("lint")["remarks"]] == ["no_auditor"]


def test_lint_ends_with_one_where_a_privacy_officer_would_object(registrar: Registrar) -> None:
    fill(registrar)
    result = registrar.run("lint")
    assert result.exit_code == 1
    remarks = json.loads(result.stdout)["remarks"]
    assert {"no_free_consent", "store_with_consent"} == {r["code"] for r in remarks if r["objection"]}
    assert all(remark["article"] for remark in remarks)
    human = CliRunner().invoke(root, ["registrar", "lint", "--home", str(registrar.home)])
    assert human.exit_code == 1
    assert "objection" in human.stdout
    assert "AVG articles 7(3) and 17(1)(b)" in human.stdout
    assert "objection" not in human.stderr


def test_service_is_held_against_the_lists_that_the_registrar_has(registrar: Registrar) -> None:
    fill(registrar, good())
    wrong = registrar.file("s.json", good(version=2, upl="parkeervergunninkje"))
    long = registrar.file("l.json", good(version=2, retention="P2Y"))
    before = (registrar.home / "draft.json").read_bytes()
    add = ("add-service", "--agency", builders.AGENCY_ID)
    assert registrar.refused(*add, wrong, "--upl", str(EXAMPLES / "upl.csv")) == "unknown_upl"
    listed = ("--selectielijst", str(EXAMPLES / "selectielijst.csv"))
    assert registrar.refused(*add, long, *listed) == "retention_too_long"
    assert registrar.refused(*add, long, "--upl", long) == "bad_list"
    assert (registrar.home / "draft.json").read_bytes() == before
    registrar.done(*add, registrar.file("g.json", good(version=2)), *listed)
    registrar.done(*add, registrar.file("w.json", good(version=3, upl="parkeervergunninkje")))
    found = registrar.run("lint", "--upl", str(EXAMPLES / "upl.csv"), *listed)
    assert [remark["code"] for remark in json.loads(found.stdout)["remarks"]] == ["unknown_upl"]
    assert found.exit_code == 1


def test_failed_signing_spends_the_version_and_keeps_the_list(
    registrar: Registrar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut off between draft and list: the number is never used for another list."""
    registrar.done("sign")
    before = (registrar.home / "trust-list.jwt").read_text()
    write_public = Home.write_public

    def fail(home: Home, name: str, data: bytes) -> Path:
        if name == store.TRUST_LIST:
            raise Unavailable("io", "No space left on device")
        return write_public(home, name, data)

    with monkeypatch.context() as patch:
        patch.setattr(Home, "write_public", fail)
        assert registrar.run("sign").exit_code == 3
    assert (registrar.home / "trust-list.jwt").read_text() == before
    assert registrar.done("sign")["version"] == 3


def test_draft_that_was_put_back_cannot_sign_an_old_version(registrar: Registrar) -> None:
    before = (registrar.home / "draft.json").read_bytes()
    registrar.done("sign")
    registrar.done("sign")
    (registrar.home / "draft.json").write_bytes(before)
    assert registrar.done("sign")["version"] == 3


def test_service_edited_in_the_draft_by_hand_is_not_signed(registrar: Registrar) -> None:
    fill(registrar)
    registrar.done("sign")
    draft = registrar.home / "draft.json"
    draft.write_text(draft.read_text().replace("To see whether you live here", "To sell it"))
    assert registrar.refused("sign") == "service_changed"
    key = Es256Private.from_pem((registrar.home / "registrar-key.pem").read_bytes())
    token = (registrar.home / "trust-list.jwt").read_text()
    assert verify_trust_list(token, key.public, int(time.time())).version == 1


def test_commands_at_once_wait_for_each_other_and_lose_nothing(registrar: Registrar) -> None:
    files = [registrar.file(f"w{n}.json", witness(f"w{n}.example")) for n in range(4)]
    script = "from service.command import main; main()"
    command = [sys.executable, "-c", script, "registrar", "--home", str(registrar.home), "add-witness"]
    running = [subprocess.Popen([*command, file], stdout=subprocess.DEVNULL) for file in files]
    assert [process.wait() for process in running] == [0] * 4
    names = {entry.name for entry in RegistrarStore(Home(registrar.home)).draft().witnesses}
    assert names == {f"w{n}.example" for n in range(4)}


def test_draft_is_canonical_json(registrar: Registrar) -> None:
    fill(registrar)
    data = (registrar.home / "draft.json").read_bytes()
    assert b" " not in data.split(b'"purpose"')[0].split(b'"agencies"')[0]
    assert RegistrarStore(Home(registrar.home)).draft() != new_draft("Registrar van Voorbeeld")


# What is signed beside the list.


def published(registrar: Registrar, url: str = "https://registrar.example") -> Registrar:
    registrar.done("publish-at", url)
    fill(registrar)
    registrar.done("sign")
    return registrar


def test_published_registrar_lists_itself_and_certifies_its_services(registrar: Registrar) -> None:
    published(registrar)
    draft = registrar.done("show")["draft"]
    assert draft["wallet_providers"][0]["id"] == "https://registrar.example"
    assert len(draft["registration_roots"]) == 1
    out = registrar.folder / "registration.jwt"
    answer = registrar.done("certificate", "--agency", builders.AGENCY_ID, "--out", str(out))
    assert [entry["intended_use"] for entry in answer["certificates"]] == [
        f"{builders.AGENCY_ID}:{builders.SERVICE_ID}:1"
    ]
    assert out.read_text().split() == [entry["certificate"] for entry in answer["certificates"]]
    service = ("--service", builders.SERVICE_ID)
    assert registrar.done("certificate", "--agency", builders.AGENCY_ID, *service) == answer


def test_registrar_that_moves_keeps_its_roots(registrar: Registrar) -> None:
    published(registrar)
    before = registrar.done("show")["draft"]
    registrar.done("publish-at", "https://elsewhere.example")
    after = registrar.done("show")["draft"]
    assert [entry["id"] for entry in after["wallet_providers"]] == ["https://elsewhere.example"]
    assert after["wallet_providers"][0]["roots"] == before["wallet_providers"][0]["roots"]
    assert after["registration_roots"] == before["registration_roots"]


def test_publishing_again_makes_new_leaves_under_the_same_roots(registrar: Registrar) -> None:
    published(registrar)
    names = ("registration-signing.der", "wallets-signing.der", "registration-signing-key.pem")
    before = [(registrar.home / name).read_bytes() for name in names]
    certificate = registrar.done("certificate", "--agency", builders.AGENCY_ID)
    registrar.done("publish-at", "https://registrar.example")
    after = [(registrar.home / name).read_bytes() for name in names]
    assert all(old != new for old, new in zip(before, after, strict=True))
    registrar.done("sign")
    assert registrar.done("certificate", "--agency", builders.AGENCY_ID) == certificate  # its chain still holds
    (registrar.home / "wallets-root-key.pem").unlink()
    assert registrar.refused("publish-at", "https://registrar.example") == "no_home"


def test_certificate_of_what_is_not_listed_is_refused(registrar: Registrar) -> None:
    agency_id = ("--agency", builders.AGENCY_ID)
    assert registrar.refused("certificate", *agency_id) == "not_published"
    published(registrar)
    assert registrar.refused("certificate", "--agency", "00000099000000009999") == "not_listed"
    assert registrar.refused("certificate", *agency_id, "--service", "other") == "not_listed"


def test_registrar_without_an_address_does_not_serve(registrar: Registrar) -> None:
    assert registrar.refused("serve") == "not_published"


@pytest.mark.parametrize(
    "url",
    [
        "http://registrar.example",
        "https://r.example/",
        "https://r.example/path",
        "r.example",
        "https://10.0.0.1/x",
    ],
)
def test_address_of_a_registrar_is_plain_https(registrar: Registrar, url: str) -> None:
    assert registrar.refused("publish-at", url) == "bad_url"
    assert not (registrar.home / "wallets-root.der").exists()


def test_new_with_an_address_publishes_at_once(tmp_path: Path) -> None:
    made = Registrar(tmp_path)
    made.done("new", "--name", "R", "--url", "http://localhost:8083")
    assert made.done("show")["draft"]["wallet_providers"][0]["id"] == "http://localhost:8083"
    other = Registrar(tmp_path / "other")
    assert other.refused("new", "--name", "R", "--url", "http://registrar.example") == "bad_url"
    assert not other.home.exists()


PROVIDER = builders.party(
    "wallets of another", san_dns="w.example", not_before=int(time.time()) - 60, not_after=int(time.time()) + 10**6
)


def provider(**changes: Any) -> dict[str, Any]:
    return {"id": "https://wallets.example", "name": "Another", "roots": PROVIDER.roots, **changes}


def test_wallet_provider_and_registration_root_of_others_come_and_go(registrar: Registrar) -> None:
    registrar.done("add-wallet-provider", registrar.file("p.json", provider()))
    der = registrar.folder / "root.der"
    other = builders.party(
        "registrar abroad", san_dns="x", not_before=int(time.time()) - 60, not_after=int(time.time()) + 10**6
    )
    der.write_bytes(other.root)
    thumbprint = registrar.done("add-registration-root", str(der))["added"]
    registrar.done("add-registration-root", str(der))
    assert registrar.done("sign")["version"] == 1
    draft = registrar.done("show")["draft"]
    assert draft["wallet_providers"] == [provider()]
    assert draft["registration_roots"] == other.roots
    assert thumbprint in registrar.runner.invoke(root, ["registrar", "show", "--home", str(registrar.home)]).stdout
    registrar.done("remove", "wallet-provider", "https://wallets.example")
    registrar.done("remove-registration-root", thumbprint)
    draft = registrar.done("show")["draft"]
    assert draft["wallet_providers"] == draft["registration_roots"] == []
    assert registrar.refused("remove-registration-root", thumbprint) == "not_listed"
    assert registrar.refused("remove", "wallet-provider", "https://wallets.example") == "not_listed"


def test_refused_providers_and_roots_leave_the_draft(registrar: Registrar) -> None:
    fill(registrar)
    before = (registrar.home / "draft.json").read_bytes()
    for changes, code in (
        ({"roots": ISSUER.roots}, "root_taken"),
        ({"roots": AGENCY.roots}, "root_taken"),
        ({"roots": PROVIDER.roots * 2}, "bad_root"),
        ({"roots": PROVIDER.x5c}, "bad_root"),
        ({"roots": ["AAAA"]}, "bad_certificate"),
        ({"id": "http://wallets.example"}, "bad_url"),
        ({"name": " "}, "bad_text"),
        ({"surprise": 1}, "bad_form"),
    ):
        assert registrar.refused("add-wallet-provider", registrar.file("p.json", provider(**changes))) == code
    for der, code in ((AGENCY.root, "root_taken"), (PROVIDER.leaf, "bad_root"), (b"x", "bad_certificate")):
        path = registrar.folder / "root.der"
        path.write_bytes(der)
        assert registrar.refused("add-registration-root", str(path)) == code
    assert (registrar.home / "draft.json").read_bytes() == before
