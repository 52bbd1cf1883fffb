"""Where an officer reads from: the agency's networks, and nobody's word but its own proxies'."""

import pytest

from protocol.errors import Rejected
from service.home import Home
from tests.verifier.agency import Agency
from verifier.config import OfficeConfig, VerifierConfig
from verifier.zone import MAX_HOPS, zone_of

OFFICE = OfficeConfig(("10.20.0.0/16", "2001:db8::/32"), ("10.0.0.5/32",))


@pytest.mark.parametrize(
    ("client", "forwarded", "zone"),
    [
        ("10.20.3.4", "", "office"),
        ("[2001:db8::7]", "", "office"),
        ("::ffff:10.20.3.4", "", "office"),
        ("192.0.2.9", "", "remote"),
        ("10.0.0.5", "10.20.3.4", "office"),
        ("10.0.0.5", "192.0.2.9", "remote"),
        ("10.0.0.5", "", "remote"),
        ("", "", "remote"),
        ("no address", "10.20.3.4", "remote"),
        ("10.0.0.5", "10.20.3.4, nonsense", "remote"),
    ],
)
def test_networks_of_the_agency_are_the_office(client: str, forwarded: str, zone: str) -> None:
    assert zone_of(client, forwarded, OFFICE) == zone


def test_forged_header_from_home_is_still_remote() -> None:
    """Who is no proxy is believed nothing; of a proxy only what it wrote itself, at the end."""
    assert zone_of("192.0.2.9", "10.20.3.4", OFFICE) == "remote"
    assert zone_of("10.0.0.5", "10.20.3.4, 192.0.2.9", OFFICE) == "remote"
    assert zone_of("10.0.0.5", ", ".join(["10.0.0.5"] * 50), OFFICE) == "remote"
    assert zone_of("10.0.0.5", ", ".join(["10.20.3.4", *["10.0.0.5"] * (MAX_HOPS - 1)]), OFFICE) == "office"
    assert zone_of("10.0.0.5", ", ".join(["10.20.3.4", *["10.0.0.5"] * MAX_HOPS]), OFFICE) == "remote"


def test_without_networks_the_desk_is_the_office() -> None:
    assert zone_of("192.0.2.9", "", None) == "office"


def test_network_that_is_none_is_a_bad_config(agency: Agency) -> None:
    text = (agency.path / "home" / "config.json").read_text()
    (agency.path / "home" / "config.json").write_text(text[:-1] + ',"office":{"networks":["10.20.0.0/99"]}}')
    with pytest.raises(Rejected) as info:
        Home(agency.path / "home").config(VerifierConfig)
    assert info.value.code == "bad_config"
