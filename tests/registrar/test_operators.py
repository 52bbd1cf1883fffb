"""Operators of a log: who may be listed, each refusal, and that it changed nothing."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from protocol.canonical import b64u_encode
from protocol.errors import Rejected
from protocol.trust_list import LogOperators, TrustedWitness, sign_trust_list, verify_trust_list
from registrar import cli
from registrar.draft import Draft, new_draft
from registrar.lint import remarks_on
from registrar.register import add_log, add_witness, next_list, remove, set_operators
from registrar.store import RegistrarStore
from service.home import Home
from tests.protocol import builders
from tests.protocol.builders import LOG_ORIGIN, NOW
from tests.protocol.dealing import NAMES, operator

LOG = msgspec.structs.replace(builders.trust_list().logs[0], policy="")


def drafted(*witnesses: TrustedWitness) -> Draft:
    draft = add_log(new_draft("Registrar"), LOG)
    for witness in witnesses or [operator(name) for name in NAMES[:3]]:
        draft = add_witness(draft, witness)
    return draft


def refused(code: str, draft: Draft, needed: int | None, *names: str) -> None:
    with pytest.raises(Rejected) as caught:
        set_operators(draft, LOG_ORIGIN, needed, names)
    assert caught.value.code == code
    assert draft.logs[0].operators is None


def test_registrar_lists_operators_of_a_log() -> None:
    draft = set_operators(drafted(), LOG_ORIGIN, 2, NAMES[:3])
    token = sign_trust_list(next_list(draft, version=1, now=NOW, days=30), builders.REGISTRAR)
    trust = verify_trust_list(token, builders.REGISTRAR.public, NOW)
    assert trust.log(LOG_ORIGIN).operators == LogOperators(needed=2, members=list(NAMES[:3]))
    assert set_operators(draft, LOG_ORIGIN, None, ()).logs[0].operators is None


def test_registrar_lists_no_operators_of_a_log_that_is_not_there() -> None:
    with pytest.raises(Rejected, match="not_listed"):
        set_operators(drafted(), "log.elders.example", 2, NAMES[:3])


@pytest.mark.parametrize(("needed", "count"), [(0, 3), (4, 3), (-1, 3), (None, 3), (1, 0)])
def test_registrar_lists_no_number_that_cannot_be_met(needed: int | None, count: int) -> None:
    refused("bad_needed", drafted(), needed, *NAMES[:count])


def test_registrar_lists_no_operator_twice() -> None:
    refused("duplicate_operator", drafted(), 2, NAMES[0], NAMES[1], NAMES[0])


def test_registrar_lists_no_operator_that_is_no_cosigner() -> None:
    refused("operator_not_listed", drafted(), 2, *NAMES[:2], NAMES[4])


def test_registrar_lists_no_operator_that_does_not_audit() -> None:
    plain = msgspec.structs.replace(operator(NAMES[1]), auditing=False)
    refused("operator_not_auditing", drafted(operator(NAMES[0]), plain), 2, *NAMES[:2])


def test_registrar_lists_no_operator_without_a_deposit_key() -> None:
    without = msgspec.structs.replace(operator(NAMES[1]), deposit_key=None)
    refused("no_deposit_key", drafted(operator(NAMES[0]), without), 2, *NAMES[:2])


def test_registrar_lists_no_deposit_key_that_cannot_be_sealed_to() -> None:
    broken = msgspec.structs.replace(operator(NAMES[1]), deposit_key=b64u_encode(b"short"))
    refused("bad_key", drafted(operator(NAMES[0]), broken), 2, *NAMES[:2])


def test_attack_one_operator_under_two_names() -> None:
    twin = msgspec.structs.replace(operator(NAMES[1]), deposit_key=operator(NAMES[0]).deposit_key)
    refused("same_deposit_key", drafted(operator(NAMES[0]), twin), 2, *NAMES[:2])


def test_new_keys_of_a_log_leave_its_operators() -> None:
    draft = set_operators(drafted(), LOG_ORIGIN, 2, NAMES[:3])
    assert add_log(draft, LOG).logs[0].operators == LogOperators(needed=2, members=list(NAMES[:3]))


def test_entry_of_a_log_cannot_name_its_operators_itself() -> None:
    named = msgspec.structs.replace(LOG, operators=LogOperators(needed=1, members=["somebody"]))
    assert add_log(new_draft("Registrar"), named).logs[0].operators is None


def test_list_whose_operator_left_is_not_signed() -> None:
    draft = remove(set_operators(drafted(), LOG_ORIGIN, 2, NAMES[:3]), "witness", NAMES[0])
    with pytest.raises(Rejected, match="operator_not_listed"):
        next_list(draft, version=1, now=NOW, days=30)


@pytest.mark.parametrize(("needed", "code"), [(1, "one_operator"), (2, None), (3, "no_spare_operator")])
def test_lint_looks_twice_at_one_and_at_all(needed: int, code: str | None) -> None:
    remarks = {remark.code for remark in remarks_on(set_operators(drafted(), LOG_ORIGIN, needed, NAMES[:3]))}
    assert remarks & {"one_operator", "no_spare_operator"} == ({code} if code else set())


def test_registrar_sets_operators_by_command(tmp_path: Path) -> None:
    store = RegistrarStore(Home(tmp_path / "registrar"))
    store.create(drafted())

    def run(*arguments: Any) -> Any:
        environment = {"REGIE_HOME": str(tmp_path / "registrar")}
        return CliRunner().invoke(cli.group, ["set-operators", "--log", LOG_ORIGIN, *arguments], env=environment)

    done = run("--needed", "2", *NAMES[:3])
    assert done.exit_code == 0, done.output
    assert "2 of 3 operators" in done.output
    assert store.draft().logs[0].operators == LogOperators(needed=2, members=list(NAMES[:3]))
    assert run("--needed", "4", *NAMES[:3]).exit_code != 0
    assert "the log itself" in run().output
    assert store.draft().logs[0].operators is None
