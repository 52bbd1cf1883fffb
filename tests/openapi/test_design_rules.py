"""The descriptions keep the NLgov API Design Rules 2.2: by the official ruleset, and by rules written here."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from auditor.openapi import COSIGNER, OPERATOR
from consentlog.openapi import LOG, WITNESS
from issuer.openapi import ISSUER
from registrar.openapi import REGISTRAR
from service.openapi import document
from service.operations import Api
from tests import npm
from verifier.openapi import AGENCY

APIS = {
    "issuer": ISSUER,
    "registrar": REGISTRAR,
    "agency": AGENCY,
    "log": LOG,
    "witness": WITNESS,
    "cosigner": COSIGNER,
    "operator": OPERATOR,
}
FOLDER = Path(__file__).parent
METHODS = ("get", "post", "put", "patch", "delete")
KEBAB = re.compile(r"(/([a-z0-9-]+|\{[a-z_]+\}))(/([a-z0-9.-]+|\{[a-z_]+\}))*")
CAMEL = re.compile(r"[a-z][a-z0-9]*([A-Z][a-z0-9]*)*")


def described(api: Api) -> dict[str, Any]:
    return json.loads(json.dumps(document(api, url="https://voorbeeld.example/api")))


@pytest.fixture(params=APIS)
def described_api(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Each description as it is published."""
    return described(APIS[request.param])


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any], dict[str, Any]]]:
    """Path, method, operation and path item."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method], item


def nodes(value: Any) -> Iterator[Any]:
    """Everything in a document."""
    yield value
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        yield from nodes(child)


# The official ruleset.


def spectral(ruleset: Path, files: list[Path]) -> list[Any]:
    """What Spectral finds; severity 0 is an error."""
    node, modules = npm.node(), npm.modules(FOLDER)
    if node is None or modules is None:
        pytest.skip("npm packages of tests/openapi are not installed: make parts")
    program = modules / "@stoplight" / "spectral-cli" / "dist" / "index.js"
    done = subprocess.run(
        [str(node), str(program), "lint", "--quiet", "-f", "json", "-r", str(ruleset), *map(str, files)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode in (0, 1), done.stderr
    return list(json.loads(done.stdout))


def written(folder: Path) -> list[Path]:
    """All descriptions as files."""
    files = []
    for name, api in APIS.items():
        files.append(folder / f"{name}.json")
        files[-1].write_text(json.dumps(described(api)))
    return files


@pytest.mark.shared
def test_descriptions_keep_the_official_ruleset(shared: Path, tmp_path: Path) -> None:
    ruleset = shared / "data" / "specs" / "nl-adr-2.2.0-spectral.yaml"
    assert spectral(ruleset, written(tmp_path)) == []


@pytest.mark.shared
def test_official_ruleset_finds_what_breaks_it(shared: Path, tmp_path: Path) -> None:
    """So that its silence above says something."""
    broken = described(LOG)
    del broken["info"]["contact"]
    del broken["paths"]["/grants"]["post"]["responses"]["400"]
    broken["paths"]["/status_lists/{number}"] = broken["paths"].pop("/status-lists/{number}")
    broken["servers"][0]["url"] = "https://voorbeeld.example/api"
    file = tmp_path / "broken.json"
    file.write_text(json.dumps(broken))
    found = {one["code"] for one in spectral(shared / "data" / "specs" / "nl-adr-2.2.0-spectral.yaml", [file])}
    assert found == {
        "info-contact",
        "nlgov:problem-invalid-input",
        "nlgov:paths-kebab-case",
        "nlgov:include-major-version-in-uri",
    }


def test_descriptions_are_valid_openapi_by_spectral(tmp_path: Path) -> None:
    """The same linter with its own rules for OpenAPI, which needs nothing from beside the checkout."""
    ruleset = tmp_path / "ruleset.json"
    ruleset.write_text(json.dumps({"extends": ["spectral:oas"]}))
    errors = [one for one in spectral(ruleset, written(tmp_path)) if one["severity"] == 0]
    assert errors == []


# The same rules without Spectral.


def test_description_names_versions_contact_and_server(described_api: dict[str, Any]) -> None:
    assert re.fullmatch(r"3\.\d+\.\d+", described_api["openapi"])
    assert re.fullmatch(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)", described_api["info"]["version"])
    assert set(described_api["info"]["contact"]) == {"name", "url", "email"}
    assert [server["url"] for server in described_api["servers"]] == ["https://voorbeeld.example/api/v1"]
    for item in described_api["paths"].values():
        assert all(server["url"].startswith("https://") for server in item.get("servers", ()))


def test_paths_are_kebab_case_without_a_slash_at_the_end(described_api: dict[str, Any]) -> None:
    for path in described_api["paths"]:
        assert path == "/openapi.json" or KEBAB.fullmatch(path), path


def test_every_parameter_of_a_path_is_described_and_required(described_api: dict[str, Any]) -> None:
    for path, _, operation, item in operations(described_api):
        of_path = [one for one in item.get("parameters", ()) if one["in"] == "path"]
        assert {one["name"] for one in of_path} == set(re.findall(r"\{(\w+)\}", path))
        assert all(one["required"] for one in of_path)
        assert not [one for one in operation.get("parameters", ()) if one["in"] == "path"]


def test_query_keys_of_our_own_are_camel_case(described_api: dict[str, Any]) -> None:
    for _, _, operation, _ in operations(described_api):
        for parameter in operation.get("parameters", ()):
            assert parameter["in"] != "query" or CAMEL.fullmatch(parameter["name"])


def test_operation_ids_are_unique_and_tags_are_described(described_api: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, _, operation, _ in operations(described_api)]
    assert len(set(ids)) == len(ids)
    tags = [tag["name"] for tag in described_api["tags"]]
    assert len(set(tags)) == len(tags)
    assert {tag for _, _, operation, _ in operations(described_api) for tag in operation["tags"]} == set(tags)


def test_every_answer_has_its_version_and_every_error_can_be_a_problem(described_api: dict[str, Any]) -> None:
    for _, _, operation, _ in operations(described_api):
        for status, answer in operation["responses"].items():
            assert answer["headers"]["API-Version"] == {"$ref": "#/components/headers/ApiVersion"}
            if status >= "400":
                problem = answer["content"]["application/problem+json"]["schema"]
                assert problem == {"$ref": "#/components/schemas/Problem"}
            if status == "503":
                assert answer["headers"]["Retry-After"]["required"]
        assert {"400", "408", "413", "503"} <= set(operation["responses"])
        assert "500" not in operation["responses"]
    assert {"status", "title", "detail", "code"} <= set(
        described_api["components"]["schemas"]["Problem"]["required"]
    )


def test_every_reference_leads_somewhere_and_every_schema_has_a_name_in_camel_case(
    described_api: dict[str, Any],
) -> None:
    schemas = described_api["components"]["schemas"]
    for node in nodes(described_api):
        if isinstance(node, dict) and isinstance(node.get("$ref"), str):
            place: Any = described_api
            for step in node["$ref"].removeprefix("#/").split("/"):
                place = place[step]
    assert all(re.fullmatch(r"[A-Z][A-Za-z0-9]*", name) for name in schemas)


def test_patterns_are_those_of_ecma(described_api: dict[str, Any]) -> None:
    for node in nodes(described_api):
        if isinstance(node, dict) and isinstance(node.get("pattern"), str):
            assert not re.search(r"\\[AZ]|\(\?P|\(\?[aiLmsux]", node["pattern"]), node["pattern"]


def test_dates_are_marked_as_dates(described_api: dict[str, Any]) -> None:
    for node in nodes(described_api):
        for name, schema in (node.get("properties") or {}).items() if isinstance(node, dict) else ():
            if re.fullmatch(r"date|datum|.*(\wD|_[dD])(ate|atum).*", name):
                assert "format" in schema, name
