"""What the issuer asks, and what the example source answers, against the contract of BRP API Personen 2.7.0."""

from typing import Any

import jsonschema_rs
import pytest
import yaml

from examples.brp_source.app import Source, make_brp, read_persons
from examples.brp_source.fields import PATHS
from examples.brp_source.problems import PATH
from issuer.brp import Bsn
from issuer.brp_api import FIELDS, batches, fields_for, request_body
from protocol.canonical import parse_object
from tests.conftest import SHARED
from tests.issuer.desk import PERSONS

pytestmark = pytest.mark.shared
DATA = SHARED / "data"


def schemas() -> dict[str, Any]:
    text = (DATA / "specs" / "brp-personen-2.7.0-openapi.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.load(text, Loader=yaml.CSafeLoader)["components"]["schemas"]
    return found


def without_patterns(value: Any) -> Any:
    """RvIG's own data break them."""
    if isinstance(value, dict):
        return {name: without_patterns(part) for name, part in value.items() if name != "pattern" or part is None}
    return [without_patterns(item) for item in value] if isinstance(value, list) else value


def validator(name: str, components: dict[str, Any]) -> Any:
    return jsonschema_rs.validator_for(
        {"$ref": f"#/components/schemas/{name}", "components": {"schemas": components}}
    )


def test_requests_and_answers_are_those_of_the_contract() -> None:
    components = schemas()
    asked, fields = validator("RaadpleegMetBurgerservicenummer", components), fields_for([*FIELDS])
    answered = validator("RaadpleegMetBurgerservicenummerResponse", without_patterns(components))
    rvig = read_persons(DATA / "brp" / "personen.jsonl")
    everybody = {**{bsn: rvig[bsn] for bsn in sorted(rvig)[::8]}, **read_persons(PERSONS)}
    client = make_brp(Source(everybody)).test_client()
    groups = sorted(path for path in PATHS if "." not in path)
    count = 0
    for batch in batches(map(Bsn, everybody)):
        body = request_body(batch, fields)
        asked.validate(parse_object(body))
        assert client.post(PATH, data=body, content_type="application/json").status_code == 200
        for wanted in (fields, groups):
            answer = client.post(
                PATH, data=request_body(batch, wanted), content_type="application/json"
            ).get_json()
            answered.validate(answer)
            count += len(answer["personen"])
    assert count == 2 * len(everybody)


def test_refusals_are_those_of_the_contract() -> None:
    refused = validator("BadRequestFoutbericht", without_patterns(schemas()))
    answer = make_brp(Source({})).test_client().post(PATH, json={"fields": "naam"})
    refused.validate(answer.get_json(force=True))
