"""What an agency processed, for the logs that others keep: LDV over OTLP, and VNG Verwerkingenlogging.

LDV 0.8 has no schema that can be had (its published openapi.json is no JSON), so `FIELDS` is its table: Logius,
Logboek Dataverwerkingen 0.8.0, section 3.2 Component Logboek, "Interface". `ACTION` and `OBJECT` are those of the
pinned openapi.yaml of VNG-Realisatie/gemma-verwerkingenlogging 0.9.0 (commit 6660ebc, api-write), components
`Verwerkingsactie` and `VerwerktObjectBasis`, without the members that only the log writes (`readOnly`).
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from protocol.errors import Rejected, Unavailable
from protocol.ldv import otlp_request, parse_otlp_answer, record_json, status_of
from service.command import root
from service.fetch import Answer
from service.trace import callers_span, within
from tests.protocol import builders
from tests.verifier.agency import PURPOSE, Agency, Granted, Wallet
from verifier import cli_export
from verifier.collector import KEY as COLLECTOR_KEY
from verifier.desk import Desk
from verifier.ldv import decrypt_subject, encrypt_subject, record_of
from verifier.reader import read_grant

HEX = {"trace_id": re.compile(r"[0-9a-f]{32}"), "span_id": re.compile(r"[0-9a-f]{16}")}
FIELDS: dict[str, Callable[[Any], bool]] = {
    "trace_id": lambda value: bool(HEX["trace_id"].fullmatch(value)),  # 16 byte, verplicht
    "span_id": lambda value: bool(HEX["span_id"].fullmatch(value)),  # 8 byte, verplicht
    "parent_span_id": lambda value: value is None or bool(HEX["span_id"].fullmatch(value)),  # optioneel
    "status": lambda value: value in ("Unset", "Ok", "Error"),
    "name": lambda value: isinstance(value, str) and bool(value),
    "start_time": lambda value: isinstance(value, int) and value > 10**12,  # ms
    "end_time": lambda value: isinstance(value, int) and value > 10**12,
    "attributes": lambda value: set(value) >= ATTRIBUTES,
}
ATTRIBUTES = {"dpl.core.processing_activity_id", "dpl.core.data_subject_id", "dpl.core.data_subject_id_type"}
NAME, DATE_TIME = 242, re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ACTION: dict[str, Callable[[Any], bool]] = {
    "actieNaam": lambda value: 0 < len(value) <= NAME,
    "handelingNaam": lambda value: 0 < len(value) <= NAME,
    "verwerkingNaam": lambda value: 0 < len(value) <= NAME,
    "verwerkingId": lambda value: bool(UUID.fullmatch(value)),
    "verwerkingsactiviteitId": lambda value: bool(UUID.fullmatch(value)),
    "verwerkingsactiviteitUrl": lambda value: 0 < len(value) <= 2042,
    "vertrouwelijkheid": lambda value: value in ("normaal", "vertrouwelijk", "opgeheven"),
    "bewaartermijn": lambda value: value.startswith("P"),
    "uitvoerder": lambda value: bool(re.fullmatch("[0-9]{20}", value)),
    "systeem": lambda value: 0 < len(value) <= NAME,
    "gegevensbron": lambda value: 0 < len(value) <= NAME,
    "soortAfnemerId": lambda value: value == "OIN",
    "afnemerId": lambda value: bool(re.fullmatch("[0-9]{20}", value)),
    "tijdstip": lambda value: bool(DATE_TIME.fullmatch(value)),
    "verwerkteObjecten": lambda value: len(value) == 1,
}
OBJECT: dict[str, Callable[[Any], bool]] = {
    "objecttype": lambda value: value == "persoon",
    "soortObjectId": lambda value: 0 < len(value) <= NAME,
    "objectId": lambda value: 0 < len(value) <= 40,
    "betrokkenheid": lambda value: 0 < len(value) <= NAME,
}
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
KEY = bytes(range(32))


def granted(agency: Agency, wallet: Wallet) -> tuple[str, Granted]:
    rid, link = agency.ask()
    made = wallet.grant(wallet.open(agency, link))
    assert agency.post(rid, made.form()).status_code == 200
    return rid, made


@pytest.fixture
def rid(agency: Agency, wallet: Wallet) -> str:
    """An agreement under which was read twice, the second time in somebody's trace, and once after the stop."""
    rid, made = granted(agency, wallet)
    read_grant(agency.desk, rid, ["postcode"], PURPOSE)
    with within(callers_span(CALLER)):
        read_grant(agency.desk, rid, [], PURPOSE)
    agency.log.stop(made.sealed.slot, made.secret)
    with pytest.raises(Rejected, match="revoked"):
        read_grant(agency.desk, rid, [], PURPOSE)
    return rid


@pytest.fixture
def export(agency: Agency, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`regie verifier export ...` in the agency's home."""
    monkeypatch.setattr(cli_export, "Desk", lambda home: Desk(home, agency.desk.parts))

    def call(*arguments: str, exit_code: int = 0) -> Any:
        home = ("--home", str(agency.home.path))
        done = CliRunner().invoke(root, ["verifier", "export", *arguments, *home])
        assert done.exit_code == exit_code, (done.output, done.stderr, done.exception)
        return done.stderr if exit_code else done.stdout

    return call


def records(agency: Agency) -> list[dict[str, Any]]:
    oin = agency.desk.config.oin
    return [record_json(record_of(each, oin, KEY)) for each in agency.desk.store.processings.all(0, 2**40)]


def test_every_read_is_a_record_with_the_fields_of_the_standard(agency: Agency, rid: str) -> None:
    found = records(agency)
    assert len(found) == 3
    for record in found:
        assert set(record) == set(FIELDS)
        assert [name for name, is_good in FIELDS.items() if not is_good(record[name])] == []
        assert record["attributes"]["dpl.core.processing_activity_id"].startswith("urn:regie:service:")
        assert decrypt_subject(KEY, record["attributes"]["dpl.core.data_subject_id"]) == rid
    assert len({record["span_id"] for record in found}) == 3
    assert {record["start_time"] for record in found} == {agency.clock.time * 1000}


def test_what_the_resident_stopped_is_no_error(agency: Agency, rid: str) -> None:
    by_refusal = {record["attributes"].get("regie.refusal"): record["status"] for record in records(agency)}
    assert by_refusal == {None: "Ok", "revoked": "Ok"}
    assert status_of("out_of_scope") == "Error"


def test_record_stands_in_the_trace_of_who_called(agency: Agency, rid: str) -> None:
    traced = [record for record in records(agency) if record["trace_id"] == CALLER[3:35]]
    assert [record["parent_span_id"] for record in traced] == [CALLER[36:52]]
    assert sum(record["parent_span_id"] is None for record in records(agency)) == 2


def test_read_of_before_traces_has_the_same_ids_in_every_export(agency: Agency, rid: str) -> None:
    agency.desk.store._file.database.conn.execute("UPDATE reads SET trace = NULL, parent = NULL, took = NULL")
    assert records(agency) == records(agency)
    assert len({record["trace_id"] for record in records(agency)}) == 3
    assert all(FIELDS["trace_id"](record["trace_id"]) for record in records(agency))


def test_records_name_nobody(agency: Agency, rid: str) -> None:
    told = json.dumps(records(agency))
    for secret in (rid, PURPOSE.officer, PURPOSE.case, "1234AB", "Voorbeeld"):
        assert secret not in told


def test_data_subject_is_encrypted_under_the_key_of_this_home() -> None:
    text = encrypt_subject(KEY, "a" * 32)
    assert text == encrypt_subject(KEY, "a" * 32) != encrypt_subject(KEY, "b" * 32)
    assert text != encrypt_subject(bytes(32), "a" * 32)
    assert decrypt_subject(KEY, text) == "a" * 32
    for bad in ("", "x", text[:-4], encrypt_subject(bytes(32), "a" * 32), "A" * 400):
        with pytest.raises(Rejected, match="bad_subject"):
            decrypt_subject(KEY, bad)


def test_otlp_is_as_its_json_wants_it(agency: Agency, rid: str) -> None:
    """OTLP 1.x, JSON Protobuf Encoding: ids in hexadecimal, enums as numbers, 64-bit numbers as text."""
    oin = agency.desk.config.oin
    found = [record_of(each, oin, KEY) for each in agency.desk.store.processings.all(0, 2**40)]
    (resource,) = otlp_request({"service.name": "x"}, found)["resourceSpans"]
    assert resource["resource"] == {"attributes": [{"key": "service.name", "value": {"stringValue": "x"}}]}
    spans = resource["scopeSpans"][0]["spans"]
    assert len(spans) == 3
    for span in spans:
        assert span["status"]["code"] in (0, 1, 2)
        assert int(span["startTimeUnixNano"]) == agency.clock.time * 10**9 <= int(span["endTimeUnixNano"])
        assert {tuple(item) for item in span["attributes"]} == {("key", "value")}
        assert all(isinstance(value, str) for item in span["attributes"] for value in item["value"].values())
    assert sum("parentSpanId" in span for span in spans) == 1


@pytest.mark.parametrize(
    ("answer", "rejected"),
    [(b"", 0), (b"{}", 0), (b'{"partialSuccess":{}}', 0), (b'{"partialSuccess":{"rejectedSpans":"2"}}', 2)],
)
def test_answer_of_a_collector_is_read(answer: bytes, rejected: int) -> None:
    assert parse_otlp_answer(answer) == rejected


@pytest.mark.parametrize(
    "answer", [b"ok", b"[]", b'{"partialSuccess":{"rejectedSpans":-1}}', b'{"partialSuccess":1}']
)
def test_answer_that_confirms_nothing_is_refused(answer: bytes) -> None:
    with pytest.raises(Rejected, match="bad_otlp_answer"):
        parse_otlp_answer(answer)


class CollectorServer:
    """In place of the organisation's log; it takes what it is sent, until it is told not to."""

    def __init__(self, agency: Agency, monkeypatch: pytest.MonkeyPatch) -> None:
        self.got: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.answer: Callable[[], bytes] = lambda: b"{}"
        ours = agency.net.request

        def request(method: str, url: str, *, body: bytes | None = None, **options: Any) -> Answer:
            if url != self.url:
                return ours(method, url, body=body, **options)
            answer = self.answer()
            self.headers.append(options["headers"])
            self.got.append(json.loads(body or b""))
            return Answer(200, {"content-type": "application/json"}, answer)

        monkeypatch.setattr(agency.net, "request", request)

    url = "https://collector.example/v1/traces"

    @property
    def spans(self) -> list[str]:
        return [span["spanId"] for each in self.got for span in each["resourceSpans"][0]["scopeSpans"][0]["spans"]]


@pytest.fixture
def collector(agency: Agency, monkeypatch: pytest.MonkeyPatch) -> CollectorServer:
    monkeypatch.setattr(cli_export, "CHUNK", 2)
    return CollectorServer(agency, monkeypatch)


def test_collector_gets_every_record_once(
    agency: Agency, rid: str, export: Any, collector: CollectorServer
) -> None:
    key = {"url": collector.url, "headers": {"Authorization": "Bearer secret"}}
    agency.home.write_json(COLLECTOR_KEY, key, secret=True)
    assert "3 records sent" in export("ldv", "--collector", collector.url)
    assert len(set(collector.spans)) == 3
    assert {headers["Authorization"] for headers in collector.headers} == {"Bearer secret"}
    assert "0 records sent" in export("ldv", "--collector", collector.url)
    assert len(collector.spans) == 3


def test_record_that_was_not_confirmed_is_sent_again(
    agency: Agency, rid: str, export: Any, collector: CollectorServer
) -> None:
    def unreachable() -> bytes:
        raise Unavailable("unreachable", "the collector is down")

    collector.answer = unreachable
    assert "(unreachable)" in export("ldv", "--collector", collector.url, exit_code=3)
    collector.answer = lambda: b'{"partialSuccess":{"rejectedSpans":"1"}}'
    assert "(not_confirmed)" in export("ldv", "--collector", collector.url, exit_code=3)
    collector.answer = lambda: b"what?"
    assert "(not_confirmed)" in export("ldv", "--collector", collector.url, exit_code=3)
    collector.answer = lambda: b"{}"
    assert "3 records sent" in export("ldv", "--collector", collector.url)
    assert len(set(collector.spans)) == 3


def test_collector_gets_its_secret_from_a_closed_file_only(
    agency: Agency, rid: str, export: Any, collector: CollectorServer
) -> None:
    key = {"url": collector.url, "headers": {"Authorization": "Bearer secret"}}
    agency.home.write_json(COLLECTOR_KEY, key)
    assert "(open_secret)" in export("ldv", "--collector", collector.url, exit_code=1)
    for wrong in ({**key, "headers": {"Authorization": "Bearer\nX-Other: 1"}}, {"headers": {}}, "Bearer secret"):
        agency.home.write_json(COLLECTOR_KEY, wrong, secret=True)
        assert "(bad_source_key)" in export("ldv", "--collector", collector.url, exit_code=1)
    assert not collector.got


@pytest.mark.parametrize("bound", ["https://log.voorbeeld.example/v1/traces", "https://collector.example/v1"])
def test_secret_of_a_collector_is_not_sent_to_whatever_url_is_typed(
    agency: Agency, rid: str, export: Any, collector: CollectorServer, bound: str
) -> None:
    key = {"url": bound, "headers": {"Authorization": "Bearer secret"}}
    agency.home.write_json(COLLECTOR_KEY, key, secret=True)
    waiting = agency.desk.store.processings.unreported(10)
    refusal = export("ldv", "--collector", collector.url, exit_code=1)
    assert "(other_source)" in refusal
    assert "Bearer" not in refusal
    assert not collector.got
    assert agency.desk.store.processings.unreported(10) == waiting


def test_file_of_records_is_closed_to_others_and_never_written_over(
    agency: Agency, rid: str, export: Any, tmp_path: Path
) -> None:
    file = tmp_path / "ldv.json"
    assert "3 records" in export("ldv", str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(json.loads(file.read_text())["resourceSpans"][0]["scopeSpans"][0]["spans"]) == 3
    assert "(exists)" in export("ldv", str(file), exit_code=1)
    found = json.loads(export("ldv", "-", "--form", "records").splitlines()[0])["records"]
    subject = found[0]["attributes"]["dpl.core.data_subject_id"]
    assert export("ldv", "--subject", subject).strip() == rid
    assert "(bad_subject)" in export("ldv", "--subject", "AAAA", exit_code=1)
    assert (
        json.loads(export("ldv", "-", "--grant", "0" * 32, "--form", "records").splitlines()[0])["records"] == []
    )
    assert (
        json.loads(export("ldv", "-", "--until", "2020-01-01", "--form", "records").splitlines()[0])["records"]
        == []
    )
    assert "Usage" in export("ldv", exit_code=2)
    assert "Usage" in export("ldv", "-", "--subject", subject, exit_code=2)


def test_verwerkingsactie_has_the_members_of_the_published_form(agency: Agency, rid: str, export: Any) -> None:
    actions = json.loads(export("vng", "-").splitlines()[0])
    assert len(actions) == 3
    for action in actions:
        assert set(action) == set(ACTION)
        assert [name for name, is_good in ACTION.items() if not is_good(action[name])] == []
        (subject,) = action["verwerkteObjecten"]
        assert set(subject) - {"verwerkteSoortenGegevens"} == set(OBJECT)
        assert [name for name, is_good in OBJECT.items() if not is_good(subject[name])] == []
    kinds = [action["verwerkteObjecten"][0].get("verwerkteSoortenGegevens") for action in actions]
    read_once = min((kind for kind in kinds if kind), key=len)
    assert {kind["soortGegeven"] for kind in read_once} == {
        "adres.postcode",
        *(f"adres.{flag}" for flag in builders.flags(builders.ADRES)),
    }
    assert sum(kind is None for kind in kinds) == 1  # nothing was processed in the READ that was refused
    told = json.dumps(actions)
    assert "gebruiker" not in told
    for secret in (PURPOSE.officer, PURPOSE.case, "1234AB"):
        assert secret not in told
    assert actions == json.loads(export("vng", "-").splitlines()[0])


def test_service_that_left_the_list_is_named_by_its_id(agency: Agency, rid: str, export: Any) -> None:
    agencies = [builders.agency(services=[builders.service(id="other")])]
    agency.enlist(builders.trust_list(version=agency.trust.version + 1, agencies=agencies))
    agency.start()
    assert {action["verwerkingNaam"] for action in json.loads(export("vng", "-").splitlines()[0])} == {
        builders.SERVICE_ID
    }
