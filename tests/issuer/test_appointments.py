"""Curator, bewindvoerder, mentor: two officers register what a court decided; what becomes of it."""

from pathlib import Path

import pytest

from issuer.appointments import Appointment, Appointments, parse_services
from issuer.mandate_books import new_id
from protocol.credential import verify_credential
from protocol.errors import Rejected
from protocol.mandate import verify_mandate
from tests.issuer.acting import DAY, FLOOR, MELATI, SERVICE, fetch, record, redeem, resident, take_in
from tests.issuer.desk import KLAAS, NOOR, NOW, Desk
from tests.issuer.test_cli import Shell

ONE, TWO = "Bente Bakker", "Cas de Wit"
OIN = "00000001234567890000"


def read(**changes: object) -> Appointment:
    """A curator of Floor."""
    members = {"kind": "curator", "represented": FLOOR, "delegates": (MELATI,), "until": NOW + 400 * DAY}
    return Appointment(**{**members, "decision": "ECLI:NL:RBDHA:2026:1", **changes})  # type: ignore[arg-type]


@pytest.fixture
def ward(desk: Desk) -> Desk:
    """Floor is under curatele."""
    take_in(desk, record(FLOOR, indicatieCurateleRegister=True))
    return desk


def test_curator_acts_once_two_officers_have_read_the_decision(ward: Desk) -> None:
    found, melati = Appointments(ward.office), resident(ward, MELATI)
    id_ = found.add(ONE, read())
    assert melati.listed() == [], "one officer is not enough"
    assert [one.id for one, _ in found.waiting()] == [id_]
    found.confirm(TWO, id_)
    assert found.waiting() == []
    taken = melati.taken(kind="curator")
    mandate = verify_mandate(taken["mandate"], ward.trust, NOW).mandate
    assert (mandate.signers, mandate.services) == ([[1]], None)
    text, _ = fetch(ward, redeem(ward, taken), "persoon")
    credential = verify_credential(text, ward.trust, NOW)
    assert credential.claims["burgerservicenummer"] == FLOOR
    assert credential.issuer_jwt.party == 1
    assert resident(ward, FLOOR).one(role="self")["delegates"] == ["Melati Kusuma"]


def test_bewindvoerder_acts_for_named_services_only(desk: Desk) -> None:
    found = Appointments(desk.office)
    with pytest.raises(Rejected, match="services_missing"):
        found.add(ONE, read(kind="bewindvoerder"))
    found.confirm(TWO, found.add(ONE, read(kind="bewindvoerder", services=(SERVICE,))))
    taken = resident(desk, MELATI).taken(kind="bewindvoerder")
    assert verify_mandate(taken["mandate"], desk.trust, NOW).mandate.services == [SERVICE]


def test_same_officer_confirms_nothing(ward: Desk) -> None:
    found = Appointments(ward.office)
    id_ = found.add(ONE, read())
    for name in (ONE, ONE.upper(), f" {ONE} "):
        with pytest.raises(Rejected, match="same_officer"):
            found.confirm(name, id_)
    assert [one.id for one, _ in found.waiting()] == [id_]
    found.end(TWO, id_)
    with pytest.raises(Rejected, match="unknown_id"):
        found.confirm(TWO, id_)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"kind": "ouder"}, "bad_mandate"),
        ({"delegates": ()}, "bad_mandate"),
        ({"delegates": (FLOOR,)}, "bad_mandate"),
        ({"delegates": (KLAAS,)}, "not_competent"),
        ({"represented": KLAAS}, "deceased"),
        ({"represented": NOOR}, "no_curatele"),
        ({"until": NOW}, "mandate_ended"),
        ({"decision": " "}, "bad_decision"),
    ],
)
def test_decision_that_law_does_not_allow_is_not_written_down(
    ward: Desk, changes: dict[str, object], code: str
) -> None:
    with pytest.raises(Rejected, match=code):
        Appointments(ward.office).add(ONE, read(**changes))
    assert ward.rows()["mandates"] == 0


def test_end_of_the_curatele_or_an_officer_ends_it(ward: Desk) -> None:
    found, melati = Appointments(ward.office), resident(ward, MELATI)
    found.confirm(TWO, found.add(ONE, read()))
    fetch(ward, redeem(ward, melati.taken(kind="curator")), "adres")
    take_in(ward, record(FLOOR))
    assert melati.listed() == []
    mentor = found.add(ONE, read(kind="mentor"))
    found.confirm(TWO, mentor)
    fetch(ward, redeem(ward, melati.taken(kind="mentor")), "adres")
    assert found.end(ONE, mentor) == 1
    assert found.of(MELATI) == []


def test_tick_ends_what_is_over(ward: Desk) -> None:
    found = Appointments(ward.office)
    found.confirm(TWO, found.add(ONE, read(until=NOW + 3 * DAY)))
    assert found.tick() == 0
    ward.clock.time += 3 * DAY
    assert found.tick() == 1


def test_services_are_read_as_people_type_them() -> None:
    assert parse_services([f" {OIN}/parkeren "]) == (SERVICE,)
    assert parse_services([]) is None
    for texts in (["parkeren"], [f"{OIN}/"], ["1/parkeren"], [f"{OIN}/a", f"{OIN}/a"]):
        with pytest.raises(Rejected, match="bad_service"):
            parse_services(texts)


ASKED = ("--represented", FLOOR, "--delegate", MELATI, "--kind", "mentor", "--decision", "C/09/1")
"""A decision of a court, as it is typed."""


def with_one_added(folder: Path) -> tuple[Shell, str]:
    """An issuer where one officer has registered a decision of a court, and the number of that mandate."""
    shell = Shell(folder / "issuer")
    shell.answer("init", "--url", "https://issuer.example", "--name", "Gemeente")
    people = folder / "people.jsonl"
    people.write_bytes(record(FLOOR) + b"\n" + record(MELATI) + b"\n")
    shell.answer("import", str(people))
    id_ = shell.answer("mandate", "add", *ASKED, "--until", "2027-05-01", "--officer", ONE)["id"]
    return shell, id_


def test_command_line_registers_confirms_lists_and_ends(tmp_path: Path) -> None:
    shell, id_ = with_one_added(tmp_path)
    assert shell.answer("mandate", "list")["mandates"][0]["state"] == "waiting"
    assert shell.answer("mandate", "confirm", id_, "--officer", TWO)["id"] == id_
    assert shell.answer("mandate", "list", "--bsn", MELATI)["mandates"][0]["state"] == "registered"
    assert shell.answer("mandate", "tick") == {"ended": 0}
    assert shell.answer("mandate", "end", id_, "--officer", ONE) == {"id": id_, "revoked": 0}
    assert shell.answer("mandate", "list") == {"mandates": []}


def test_attack_one_officer_as_two_by_typing_another_name(tmp_path: Path) -> None:
    """Who signs in at the counter as one account is nobody else on the command line."""
    shell, id_ = with_one_added(tmp_path)
    shell.answer("staff", "--provider", "https://login.example", "--client-id", "balie", "--role", "balie=clerk")
    assert shell.refusal("mandate", "confirm", id_, "--officer", "another name") == "at_counter"
    again = ("--until", "2027-05-01", "--officer", "somebody")
    assert shell.refusal("mandate", "add", *ASKED, *again) == "at_counter"
    assert [one["state"] for one in shell.answer("mandate", "list")["mandates"]] == ["waiting"]
    assert shell.answer("mandate", "end", id_, "--officer", ONE) == {"id": id_, "revoked": 0}


def test_numbers_come_from_stdin_and_so_stand_in_no_list_of_processes(tmp_path: Path) -> None:
    shell = Shell(tmp_path / "issuer")
    shell.answer("init", "--url", "https://issuer.example", "--name", "Gemeente")
    people = tmp_path / "people.jsonl"
    people.write_bytes(b"\n".join((record(FLOOR), record(MELATI), record(NOOR))) + b"\n")
    shell.answer("import", str(people))
    words = (
        "--represented",
        "-",
        "--delegate",
        "-",
        "--delegate",
        "-",
        "--kind",
        "mentor",
        "--decision",
        "C/09/1",
    )
    typed = f"{FLOOR}\n{MELATI}\n{NOOR}\n"
    id_ = shell.answer("mandate", "add", *words, "--until", "2027-05-01", "--officer", ONE, stdin=typed)["id"]
    for bsn in (FLOOR, MELATI, NOOR):
        assert [one["id"] for one in shell.answer("mandate", "list", "--bsn", "-", stdin=bsn)["mandates"]] == [id_]


def test_no_id_of_a_mandate_begins_like_an_option() -> None:
    made = {new_id(lambda size, first=first: bytes((first,)) + bytes(size - 1)) for first in range(256)}
    assert len(made) == 128
    assert not [id_ for id_ in made if id_.startswith("-")]
