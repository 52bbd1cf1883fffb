"""Several auditors sign in at their organisation; the register says who of them opened an agreement."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from auditor.config import Config, read_config
from auditor.ui.app import create, make_staffed
from service.staff import StaffConfig
from service.staff_keys import make_staff_key
from service.ui.staff import StaffDoor
from tests.auditor.ui.conftest import Console
from tests.auditor.ui.test_cli import regie
from tests.protocol.builders import random_of
from tests.service.ui.staff import ORIGIN, enter

STAFF = StaffConfig(
    provider="https://login.example", client_id="console", role_claim="roles", roles={"controle": "auditor"}
)


@pytest.fixture
def staffed(console: Console) -> tuple[Console, StaffDoor]:
    """The console with a door for staff, and nobody signed in."""
    make_staff_key(console.home, random_of("staff"))
    wires = console.town.wires
    app, door = make_staffed(console.home, STAFF, ORIGIN, clock=console.town.clock, fetcher=wires)
    return replace(console, app=app, client=app.test_client()), door


def test_register_names_who_signed_in(staffed: tuple[Console, StaffDoor]) -> None:
    console, door = staffed
    signed_in = replace(console, client=enter(console.app, door, "auditor", name="Alex Auditor"))
    signed_in.open(console.kept.answer.slot)
    assert [look.who for look in console.desk.looks.page(0, 9)] == ["alex.auditor"]


def test_colleague_who_knows_the_address_reads_no_file_without_a_reason(
    staffed: tuple[Console, StaffDoor],
) -> None:
    console, door = staffed
    opener = replace(console, client=enter(console.app, door, "auditor", name="Alex Auditor"))
    place = opener.open(console.kept.answer.slot)
    assert opener.client.get(place).status_code == 200
    colleague = enter(console.app, door, "auditor", name="Bo Auditor")
    exports = [f"export.{form}" for form in ("csv", "json", "jsonld", "ldv")]
    for path in (place, *(f"{place}/{name}" for name in ("progress", *exports))):
        answer = colleague.get(path)
        assert answer.status_code == 410, path
        assert "r-timeline" not in answer.get_data(as_text=True)
    assert [look.who for look in console.desk.looks.page(0, 9)] == ["alex.auditor"]


def test_who_is_not_signed_in_sees_and_opens_nothing(staffed: tuple[Console, StaffDoor]) -> None:
    console, _ = staffed
    assert console.client.get("/").status_code == 303
    answer = console.post("/agreements/open", number="0", reason="sample", note="x")
    assert answer.status_code in (303, 401, 403)
    assert console.desk.looks.count() == 0


def test_console_with_staff_has_no_door_of_its_own_machine(console: Console) -> None:
    make_staff_key(console.home, random_of("staff"))
    config = msgspec.structs.replace(read_config(console.home), console=ORIGIN, staff=STAFF)
    console.home.write_config(config)
    client = create(console.home.path, clock=console.town.clock).test_client()
    answer = client.get("/", base_url="https://audit.example")
    assert (answer.status_code, "/sign-in" in answer.headers["Location"]) == (303, True)


def test_staff_cannot_be_let_in_before_the_console_has_an_address(console: Console, tmp_path: Path) -> None:
    asked = ("--provider", "https://login.example", "--client-id", "console", "--role", "controle=auditor")
    refused = regie(console, "staff", *asked)
    assert refused.exit_code == 1
    assert "console" in refused.output
    assert read_config(console.home).staff is None
    config: Config = msgspec.structs.replace(read_config(console.home), console="https://audit.example")
    console.home.write_config(config)
    told = regie(console, "staff", *asked)
    assert told.exit_code == 0
    assert "https://audit.example/sign-in/callback" in told.output
