"""A description is made of the operations' table and of the forms that the endpoints read and write."""

from dataclasses import replace
from typing import Annotated, Any

import pytest
from flask import Flask
from msgspec import Meta, Struct

from service.app import make_app
from service.openapi import document, publish
from service.operations import (
    FORM,
    PROJECT,
    Api,
    Contact,
    Content,
    Operation,
    Parameter,
    Reply,
    json_of,
    oauth_error,
    path_number,
)

URL = "https://voorbeeld.example/role"


class Asked(Struct, frozen=True):
    """What is asked."""

    code: Annotated[str, Meta(pattern=r"\A[a-z]+\Z")]


class Told(Struct, frozen=True):
    """What is answered."""

    asked: Asked
    count: int | None = None


ADD = Operation(
    "addThing",
    "POST",
    "/v1/things/{number}",
    "Add a thing",
    {201: Reply("Added.", (json_of(Told),), ("Location",))},
    {409: "`known`"},
    parameters=(path_number("number", "Which.", 10), Parameter("dryRun", "query", "Change nothing.")),
    body=(json_of(Asked),),
    security=("token", ""),
)
TOKEN = Operation(
    "postToken",
    "POST",
    "/token",
    "A token",
    {200: Reply("A token.", (json_of(Told, Asked),))},
    own_errors={400: oauth_error("invalid_request", "invalid_grant")},
    parameters=(Parameter("request_uri", "query", "What was pushed.", required=True),),
    body=(Content(FORM, {"type": "object"}),),
    is_body_required=False,
    standard="RFC 6749",
)
KNOWN = Operation("getKnown", "GET", "/.well-known/things", "Metadata", {200: Reply("It.")}, standard="RFC 8615")
API = Api(
    "Things", "A role.", (ADD, TOKEN, KNOWN), {"token": {"type": "http", "scheme": "bearer"}}, {"api": "All."}
)


def paths(**options: Any) -> dict[str, Any]:
    found: dict[str, Any] = document(API, url=URL, **options)["paths"]
    return found


def test_paths_of_ours_are_under_the_version_and_those_of_standards_where_they_say() -> None:
    found = paths()
    assert set(found) == {"/openapi.json", "/healthz", "/things/{number}", "/token", "/things"}
    assert document(API, url=URL)["servers"] == [{"url": f"{URL}/v1"}]
    assert "servers" not in found["/things/{number}"]
    assert found["/token"]["servers"] == [{"url": URL}]
    assert found["/things"]["servers"] == [{"url": "https://voorbeeld.example/.well-known"}]


def test_metadata_of_an_app_under_a_path_lie_between_host_and_path_and_its_health_at_the_host() -> None:
    found = paths(mount="/role")
    assert found["/things/role"]["servers"] == [{"url": "https://voorbeeld.example/.well-known"}]
    assert found["/healthz"]["servers"] == [{"url": "https://voorbeeld.example"}]
    assert found["/token"]["servers"] == [{"url": URL}]


def test_parameters_of_the_path_and_queries_of_a_standard_stand_at_the_path() -> None:
    found = paths()
    (number,) = found["/things/{number}"]["parameters"]
    assert (number["name"], number["required"], number["schema"]["maximum"]) == ("number", True, 9)
    assert [one["name"] for one in found["/things/{number}"]["post"]["parameters"]] == ["dryRun"]
    assert [one["name"] for one in found["/token"]["parameters"]] == ["request_uri"]
    assert "parameters" not in found["/token"]["post"]


def test_two_methods_of_a_path_share_its_parameters() -> None:
    read = replace(ADD, id="getThing", method="GET", body=())
    item = document(replace(API, operations=(ADD, read)), url=URL)["paths"]["/things/{number}"]
    assert len(item["parameters"]) == 1
    assert {"get", "post"} <= set(item)


def test_forms_are_those_of_the_structs_with_patterns_of_ecma() -> None:
    made = document(API, url=URL)
    schemas = made["components"]["schemas"]
    assert schemas["Asked"]["properties"]["code"]["pattern"] == "^[a-z]+$"
    assert schemas["Told"]["properties"]["asked"] == {"$ref": "#/components/schemas/Asked"}
    body = made["paths"]["/things/{number}"]["post"]["requestBody"]
    assert body == {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Asked"}}},
    }
    token = made["paths"]["/token"]["post"]
    assert token["requestBody"]["required"] is False
    answer = token["responses"]["200"]["content"]["application/json"]["schema"]
    assert [one["$ref"].rpartition("/")[2] for one in answer["anyOf"]] == ["Told", "Asked"]


def test_answers_have_their_headers_refusals_and_those_of_the_edge() -> None:
    found = paths()["/things/{number}"]["post"]["responses"]
    assert set(found) == {"201", "400", "408", "409", "413", "503"}
    assert set(found["201"]["headers"]) == {"API-Version", "Location"}
    assert set(found["409"]["content"]) == {"application/problem+json"}
    assert "Retry-After" in found["503"]["headers"]
    own = paths()["/token"]["post"]["responses"]["400"]
    assert set(own["content"]) == {"application/json", "application/problem+json"}
    assert "`invalid_grant`" in own["description"]
    assert paths()["/things/{number}"]["post"]["security"] == [{"token": []}, {}]


@pytest.mark.parametrize("again", [ADD, replace(TOKEN, id="other")])
def test_one_operation_is_not_described_twice(again: Operation) -> None:
    with pytest.raises(ValueError, match="described twice"):
        document(replace(API, operations=(*API.operations, again)), url=URL)


def test_one_path_is_not_described_at_two_places() -> None:
    elsewhere = Operation("getOther", "GET", "/things", "Other things", {200: Reply("They.")})
    with pytest.raises(ValueError, match="described twice"):
        document(replace(API, operations=(*API.operations, elsewhere)), url=URL)


def test_description_is_published_for_everybody_and_says_whom_to_ask() -> None:
    app: Flask = make_app("service")
    publish(app, API, url=URL, mount="/role", contact=Contact("Gemeente", "https://g.example", "api@g.example"))
    answer = app.test_client().get("/role/v1/openapi.json")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert answer.json["info"]["contact"] == {
        "name": "Gemeente",
        "url": "https://g.example",
        "email": "api@g.example",
    }
    assert answer.json["info"]["version"] == answer.headers["API-Version"]
    assert document(API, url=URL)["info"]["contact"]["name"] == PROJECT.name
