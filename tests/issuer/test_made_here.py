"""An issuer makes the kinds of credential that it is configured for, and no other."""

import msgspec
import pytest

from issuer.authorize import wanted
from issuer.config import IssuerConfig, made_here
from issuer.web import make_web
from protocol import mandate_api as api
from protocol.errors import Rejected
from protocol.oauth import AuthorizationDetail, AuthorizationRequest
from tests.issuer.acting import resident
from tests.issuer.desk import NOOR, Desk

CONFIG = IssuerConfig(role="issuer", url="https://issuer.voorbeeld.example", name="Gemeente Lindehaven")


def narrow(desk: Desk, *names: str) -> Desk:
    """The same desk, of an issuer that makes these."""
    desk.office.credentials = names
    desk.client = make_web(msgspec.structs.replace(CONFIG, credentials=names), desk.office).test_client()
    return desk


def test_metadata_names_only_what_is_made_here(desk: Desk) -> None:
    about = narrow(desk, "adres").client.get("/.well-known/openid-credential-issuer").json
    assert list(about["credential_configurations_supported"]) == ["adres"]


def test_offer_of_what_is_not_made_here_is_refused(desk: Desk) -> None:
    before = narrow(desk, "adres", "persoon").rows()
    with pytest.raises(Rejected) as caught:
        desk.office.offer(NOOR, ("adres", "gezin"))
    assert caught.value.code == "unknown_credential_configuration"
    assert desk.rows() == before
    assert desk.fetch(desk.token("adres"), "adres")


def test_login_for_what_is_not_made_here_is_refused() -> None:
    asked = AuthorizationRequest("wallet", "https://wallet.example", ("gezin",), None, "challenge")
    assert wanted(asked, ("gezin", "adres")) == ("gezin",)
    with pytest.raises(Rejected) as caught:
        wanted(asked, ("adres",))
    assert caught.value.code == "invalid_scope"
    detailed = AuthorizationDetail(type="openid_credential", credential_configuration_id="gezin")
    with pytest.raises(Rejected) as caught:
        wanted(AuthorizationRequest("wallet", "", (), None, "", authorization_details=(detailed,)), ("adres",))
    assert caught.value.code == "invalid_authorization_details"


def test_issuer_that_does_not_know_authority_makes_no_mandates(desk: Desk) -> None:
    caller = resident(desk)
    before = narrow(desk, "persoon", "adres").rows()
    answer = caller.post("representations", api.RepresentationsAsk(""))
    assert (answer.status_code, answer.json["code"]) == (404, "no_mandates")
    assert desk.rows() == before


@pytest.mark.parametrize("names", [(), ("adres", "adres"), ("adres", "rijbewijs")])
def test_configuration_of_nothing_twice_or_unknown_is_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(Rejected) as caught:
        made_here(msgspec.structs.replace(CONFIG, credentials=names))
    assert caught.value.code == "bad_config"
