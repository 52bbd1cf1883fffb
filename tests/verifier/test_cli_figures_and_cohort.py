"""`regie verifier cohort` and `figures`, as somebody types them, with OpenDP's noise."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from protocol.errors import Rejected
from protocol.figures import parse_figures, sign_figures
from service.command import root
from service.home import Home
from tests.faces.pages.figures import figures_of
from tests.protocol import builders
from tests.verifier.agency import URL
from tests.verifier.counting import ASKER, ASKER_ID, SERVICE, Town, question_service, trust_of
from verifier import cli_cohort, cli_figures
from verifier.cohort_asking import ask_cohort
from verifier.desk import Desk


@pytest.fixture
def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Town:
    """A counting party and a municipality whose commands reach each other."""
    made = Town(tmp_path, question_service("count"), builders.service())
    desks = {made.party.home.path: made.party.desk, made.asker.home.path: made.asker.desk}
    for module in (cli_cohort, cli_figures):
        monkeypatch.setattr(module, "Desk", lambda home: Desk(home, desks[home.path].parts))
    return made


def run(home: Home, *arguments: str, exit_code: int = 0, as_json: bool = True) -> Any:
    group, command, *rest = arguments
    flags = ["--json"] if as_json else []
    words = ["verifier", group, command, "--home", str(home.path), *rest, *flags]
    result = CliRunner().invoke(root, words)
    assert result.exit_code == exit_code, (result.output, result.stderr, result.exception)
    if exit_code:
        return result.stderr
    return json.loads(result.stdout) if as_json else result.stdout


def test_question_that_cannot_be_answered_keeps_no_other_one_waiting(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = town.asker.ask()
    town.party.clock.time += 1
    services = (question_service("count"), builders.service(), question_service("count", id="tweede"))
    town.party.enlist(builders.trust_list(version=2, agencies=trust_of(*services).agencies))
    second = ask_cohort(town.asker.desk, town.asker.store, builders.AGENCY_ID, URL, "tweede")
    real = cli_cohort.answer_question

    def answer(desk: Any, store: Any, taken: Any, *rest: Any) -> Any:
        if taken.id == first.id:
            raise Rejected("cohort_too_large", "too many residents")
        return real(desk, store, taken, *rest)

    monkeypatch.setattr(cli_cohort, "answer_question", answer)
    run(town.party.home, "cohort", "answer", exit_code=1, as_json=False)
    answered = {each.id for each in town.store.questions() if each.answered is not None}
    assert answered == {second.id}


def test_question_is_asked_answered_with_noise_and_fetched(town: Town) -> None:
    party, asker = town.party.home, town.asker.home
    rid, _ = town.resident("a", huisnummer=12)
    asked = run(asker, "cohort", "ask", "https://agency.voorbeeld.example", SERVICE, "--party", builders.AGENCY_ID)
    assert asked["state"] == "waiting"
    listed = run(party, "cohort", "questions")
    assert listed["epsilon_left"] == {SERVICE: 2.5}
    assert [(each["id"], each["answered"]) for each in listed["questions"]] == [(asked["id"], None)]
    assert run(party, "cohort", "answer")["answered"] == [
        {"id": asked["id"], "service": SERVICE, "read": 1, "left_out": 0}
    ]
    first, again = (run(asker, "cohort", "fetch", asked["id"]) for _ in range(2))
    assert first == again
    assert (first["state"], first["epsilon"]) == ("answered", 0.5)
    assert isinstance(first["count"], int)
    assert "noised, epsilon 0.5" in run(asker, "cohort", "fetch", asked["id"], as_json=False)
    assert run(party, "cohort", "answer")["answered"] == []
    assert len(run(party, "cohort", "reference", rid)["reference"]) == 22
    assert rid not in json.dumps(first)


def test_yes_and_no_are_printed_by_reference(town: Town) -> None:
    party, asker = town.party.home, town.asker.home
    agencies = town.party.trust.agencies[1:]
    listed = [builders.agency(services=[question_service("yes_no", version=2)]), *agencies]
    town.party.enlist(builders.trust_list(version=2, agencies=listed))
    rid, _ = town.resident("a", huisnummer=12)
    asked = run(asker, "cohort", "ask", "https://agency.voorbeeld.example", SERVICE, "--party", builders.AGENCY_ID)
    run(party, "cohort", "answer")
    reference = run(party, "cohort", "reference", rid)["reference"]
    assert run(asker, "cohort", "fetch", asked["id"])["yes"] == [reference]
    assert run(asker, "cohort", "fetch", asked["id"], as_json=False).split() == [reference, "yes"]


def test_month_is_released_once_and_taken_in_by_a_neighbour(town: Town, tmp_path: Path) -> None:
    party, asker, file = town.party.home, town.asker.home, tmp_path / "2026-10.jwt"
    released = run(party, "figures", "release", "2026-10", "--out", str(file))
    assert released["epsilon"] == 2
    assert run(party, "figures", "release", "2026-10") == released
    assert file.read_text().strip() == released["file"]
    assert all(cell.count is None for cell in parse_figures(released["file"]).cells)
    assert "month_not_over" in run(party, "figures", "release", "2026-12", exit_code=1)
    assert run(asker, "figures", "import", str(file)) == {"agency": builders.AGENCY_ID, "month": "2026-10"}
    busy = figures_of(ASKER_ID, "Gemeente Vraag", "2026-09", 1)
    theirs = tmp_path / "theirs.jwt"
    theirs.write_text(sign_figures(busy, ASKER.key, ASKER.x5c))
    run(party, "figures", "import", str(theirs))
    assert "2026-09  Gemeente Vraag: 800 running" in run(party, "figures", "show", as_json=False)
    table = run(party, "figures", "show", "--month", "2026-09", "--csv", as_json=False)
    assert table.startswith("month,oin,agency,service,basis,figure,count")
    assert "given_hour,400" in table


def test_figures_of_an_agency_that_is_not_listed_are_refused(town: Town, tmp_path: Path) -> None:
    made = figures_of("00000099000000009000", "Niemand", "2026-09", 1)
    file = tmp_path / "stranger.jwt"
    file.write_text(sign_figures(made, ASKER.key, ASKER.x5c))
    assert "not_listed" in run(town.party.home, "figures", "import", str(file), exit_code=1)
    assert run(town.party.home, "figures", "show")["figures"] == []
