"""Who opens an agreement says why, and that is written down first; the file shows every entry with its proof."""

import json

from auditor.open_case import slot_at
from auditor.ui.jobs import KEPT_SECONDS
from auditor.watch import TOKEN
from protocol.leaf import LeafType
from tests.auditor.ui.conftest import Console
from tests.auditor.ui.test_pages import text_of
from tests.protocol.builders import LOG_URL


def test_file_shows_every_entry_of_the_agreement_and_no_other(console: Console) -> None:
    page = console.page(console.open(console.kept.answer.slot))
    text = text_of(page)
    assert "Agreement 0" in text
    assert page.count("Read by the organisation") == 3
    assert page.count("Reading refused") == 1
    assert "The number of readings was used up" in text
    assert "by a program, from outside" in text
    assert "Everything in this agreement was allowed" in text
    assert page.count("Stands in the signed log") == 5


def test_file_of_a_stopped_agreement_shows_stop_refusal_and_message(console: Console) -> None:
    text = text_of(console.page(console.open(console.stopped.answer.slot)))
    assert text.count("Stopped by the resident") == 2
    assert "The resident had stopped" in text
    assert "The resident asks to erase the data" in text


def test_file_of_a_renewed_agreement_shows_both_versions(console: Console) -> None:
    for slot in (2, 3):
        text = text_of(console.page(console.open(slot)))
        assert "Agreement given" in text
        assert "Agreement renewed" in text
        assert "Runs" in text


def test_only_openings_of_the_agreement_are_asked_for(console: Console) -> None:
    console.town.wires.asked.clear()
    console.open(console.kept.answer.slot)
    asked = [call for call in console.town.wires.asked if "/v1/openings" in call]
    assert len(asked) == 5  # the grant, three reads and a refusal


def test_look_is_written_down_and_shown(console: Console) -> None:
    page = console.page(console.open(console.kept.answer.slot, "sample", "S-2026-1"))
    assert "S-2026-1" in page
    register = console.page("/agreements/register")
    assert "S-2026-1" in register
    assert "The register is whole" in register
    (look,) = console.desk.looks.page(0, 9)
    assert (look.slot, look.reason, look.note) == (0, "sample", "S-2026-1")


def test_look_is_written_down_although_the_log_cannot_be_reached(console: Console) -> None:
    console.town.wires.cut.add(LOG_URL.removeprefix("https://"))
    place = console.open(console.kept.answer.slot)
    assert "does not answer" in console.page(place, status=409)
    assert console.desk.looks.count() == 1


REFUSED = (
    ({"number": "0", "reason": "", "note": "x"}, "Choose why you open this agreement."),
    ({"number": "0", "reason": "curious", "note": "x"}, "Choose why you open this agreement."),
    ({"number": "0", "reason": "sample", "note": " "}, "Fill in a file number or a few words."),
    ({"number": "0", "reason": "sample", "note": "x" * 301}, "Use fewer words, on one line."),
    ({"number": "", "reason": "sample", "note": "x"}, "Fill in the number of an agreement or of an entry."),
    ({"number": "-1", "reason": "sample", "note": "x"}, "Fill in a whole number."),
    ({"number": "٣", "reason": "sample", "note": "x"}, "Fill in a whole number."),
    ({"number": "9" * 16, "reason": "sample", "note": "x"}, "Fill in a whole number."),
    ({"number": "999", "reason": "sample", "note": "x"}, "There is no agreement with this number or entry."),
    ({"entry": "99999", "reason": "sample", "note": "x"}, "There is no agreement with this number or entry."),
)
"""Fields, and what the form says of them."""


def test_agreement_is_not_opened_without_a_number_and_a_reason(console: Console) -> None:
    console.page("/")  # English
    for fields, words in REFUSED:
        response = console.post("/agreements/open", **fields)
        assert response.status_code == 400
        assert words in text_of(response.get_data(as_text=True))
    assert console.desk.looks.count() == 0
    assert console.desk.jobs.latest("case") is None


def test_agreement_of_an_entry_is_found(console: Console) -> None:
    leaves, now = console.town.leaves(), console.town.clock.now()
    kinds = {leaf[0]: index for index, leaf in enumerate(leaves)}
    assert slot_at(console.desk.opener, kinds[LeafType.GRANT], now) == 3
    assert slot_at(console.desk.opener, kinds[LeafType.READ], now) == 1
    assert slot_at(console.desk.opener, kinds[LeafType.MESSAGE], now) == 1
    assert slot_at(console.desk.opener, kinds[LeafType.HEAD], now) is None
    assert slot_at(console.desk.opener, len(leaves), now) is None


def test_file_can_be_taken_along_in_four_forms(console: Console) -> None:
    place = console.open(console.kept.answer.slot)
    told = json.loads(console.client.get(f"{place}/export.json").data)
    assert len(told["entries"]) == 5
    assert json.loads(console.client.get(f"{place}/export.jsonld").data)["@type"] == "dpv:ConsentRecord"
    assert len(json.loads(console.client.get(f"{place}/export.ldv").data)["records"]) == 4
    assert console.client.get(f"{place}/export.csv").get_data(as_text=True).count("\n") >= 6
    assert console.client.get(f"{place}/export.exe").status_code == 404


def test_file_closes_after_half_an_hour(console: Console) -> None:
    place = console.open(console.kept.answer.slot)
    console.town.clock.time += KEPT_SECONDS
    console.page(place)
    console.town.clock.time += 1
    assert "this file is closed again" in console.page(place, status=410)
    assert console.page(f"{place}/export.json", status=410)


def test_attack_guessed_file_is_closed(console: Console) -> None:
    assert console.page("/agreements/file/AAAAAAAAAAAAAAAAAAAAAA", status=410)
    job = console.done(console.post("/check/look")).rsplit("/", 1)[-1]
    assert console.page(f"/agreements/file/{job}", status=410)


def test_erased_agreement_shows_its_entries_only(own_town: Console) -> None:
    console, given = own_town, own_town.stopped
    path = f"/v1/grants/{given.answer.slot}/openings"
    assert console.town.send("DELETE", path, headers=given.view).status_code == 204
    console.look()
    text = text_of(console.page(console.open(given.answer.slot)))
    assert "What it stands for was erased." in text
    assert "Gemeente Voorbeeld" not in text


def test_no_file_without_a_token(console: Console) -> None:
    console.home.remove(TOKEN)
    assert "this home may not see" in console.page(console.open(console.kept.answer.slot), status=409)


def test_opening_leaves_nothing_of_the_file_in_the_home(console: Console) -> None:
    console.open(console.kept.answer.slot)
    kept = b"".join(path.read_bytes() for path in console.home.path.iterdir() if path.is_file())
    assert console.kept.terms.tag_key.encode() not in kept
    assert console.kept.request.opening_key.encode() not in kept


def test_agreements_are_listed_by_number_and_nothing_else(console: Console) -> None:
    text = text_of(console.page("/agreements/"))
    assert "4 agreements" in text
    assert "Gemeente Voorbeeld" not in text
    assert "Parking" not in text
