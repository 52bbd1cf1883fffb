"""Where a request may go: attacks on the form of a URL and on what its name stands for (SSRF)."""

import ipaddress
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import Rejected, Unavailable
from service.address import MAX_URL_CHARACTERS, is_public, parse_url, resolve

REFUSED_URLS = [
    "",
    "example.org",
    "//example.org/",
    "ftp://example.org/",
    "file:///etc/passwd",
    "gopher://example.org/",
    "javascript:alert(1)",
    "http://example.org/",  # not https
    "https://",
    "https:///path",
    "https://user@example.org/",
    "https://user:pass@example.org/",
    "https://example.org@127.0.0.1/",
    "https://example.org/#fragment",
    "https://example.org\\@127.0.0.1/",
    "https://example.org/a b",
    "https://example.org/\r\nHost: other",
    "https://example.org/\n",
    "https://exa%6dple.org/",
    "https://example.org%2f@127.0.0.1/",
    "https://voorbeeld\u3002example/",
    "https://b\u00fccher.example/",
    "https://\u2460\u2461\u2466.0.0.1/",
    "https://example..org/",
    "https://.example.org/",
    "https://example.org./",
    "https://-example.org/",
    "https://exa_mple.org/",
    "https://example.org:/",
    "https://example.org:0/",
    "https://example.org:65536/",
    "https://example.org:99999999/",
    "https://example.org:22/",
    "https://example.org:25/",
    "https://example.org:80/",
    "https://example.org:442/",
    "https://example.org:1023/",
    "https://localhost/",
    "https://LOCALHOST/",
    "https://localhost:8443/",
    "http://127.0.0.1:8000/",
    "https://127.0.0.1/",
    "https://[::1]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://2130706433/",
    "https://017700000001/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://127.1/",
    "https://127.0.0.1.5/",
    "https://127.0.0.01/",
    "https://0177.0.0.1/",
    "https://1.2.3/",
    "https://256.1.1.1/",
    "https://example.0x7f/",
    "https://example.1/",
    "https://[::1%25lo]/",
    "https://[fe80::1%eth0]/",
    "https://[::ffff:127.0.0.1/",
    "https://[zz]/",
    "https://[1::2::3]/",
    "https://example.org/" + "a" * MAX_URL_CHARACTERS,
]
SPECIAL_ADDRESSES = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.0.170",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:8.8.8.8",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:0:7f00:1::",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:0a00:0001::",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "3fff::1",
    "4000::1",
    "not an address",
]


@pytest.mark.parametrize("url", REFUSED_URLS)
def test_url_is_refused(url: str) -> None:
    with pytest.raises(Rejected) as caught:
        parse_url(url)
    assert caught.value.code == "bad_url"


@pytest.mark.parametrize("url", ["http://example.org/", "http://10.0.0.1/", "http://localhost.example.org/"])
def test_loopback_flag_opens_nothing_but_loopback(url: str) -> None:
    with pytest.raises(Rejected, match="bad_url"):
        parse_url(url, loopback=True)


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("https://Example.ORG", ("https", "example.org", 443, "/")),
        ("https://example.org:443/a/b?c=d&e=%20", ("https", "example.org", 443, "/a/b?c=d&e=%20")),
        ("https://example.org:1024/", ("https", "example.org", 1024, "/")),
        ("https://example.org:65535/", ("https", "example.org", 65535, "/")),
        ("https://8.8.8.8/", ("https", "8.8.8.8", 443, "/")),
        ("https://[2A00:1450::1]:8443/x", ("https", "2a00:1450::1", 8443, "/x")),
        ("https://xn--bcher-kva.example/~x/(y);z=1", ("https", "xn--bcher-kva.example", 443, "/~x/(y);z=1")),
        ("https://1and1.example/", ("https", "1and1.example", 443, "/")),
    ],
)
def test_url_is_accepted(url: str, parts: tuple[str, str, int, str]) -> None:
    target = parse_url(url)
    assert (target.scheme, target.host, target.port, target.path) == parts


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/x", "http://localhost/", "https://[::1]:8443/"])
def test_loopback_is_accepted_only_when_told_so(url: str) -> None:
    assert parse_url(url, loopback=True).is_loopback
    with pytest.raises(Rejected, match="bad_url"):
        parse_url(url)


@pytest.mark.parametrize("address", SPECIAL_ADDRESSES)
def test_special_address_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2a00:1450::1", "2606:4700::1111", "2003::1"])
def test_ordinary_address_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", SPECIAL_ADDRESSES)
def test_name_is_refused_when_any_of_its_addresses_is_special(address: str) -> None:
    with pytest.raises(Rejected) as caught:
        resolve(parse_url("https://rebinding.example/"), lambda host, port: ["8.8.8.8", address])
    assert caught.value.code == "refused_address"


def test_loopback_name_that_stands_for_another_machine_is_refused() -> None:
    with pytest.raises(Rejected, match="refused_address"):
        resolve(parse_url("http://localhost:80/", loopback=True), lambda host, port: ["127.0.0.1", "10.0.0.1"])


def test_name_without_address_is_unavailable() -> None:
    def nothing(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    with pytest.raises(Unavailable, match="unreachable"):
        resolve(parse_url("https://nowhere.example/"), nothing)
    with pytest.raises(Rejected, match="refused_address"):
        resolve(parse_url("https://nowhere.example/"), lambda host, port: [])


@given(st.integers(0, 2**128 - 1))
def test_public_address_is_within_the_global_unicast_block(number: int) -> None:
    address = ipaddress.IPv6Address(number)
    if is_public(str(address)):
        assert address in ipaddress.IPv6Network("2000::/3")
        assert address.is_global


@given(st.text(max_size=80))
def test_any_text_parses_or_is_refused(text: str) -> None:
    for url in (text, f"https://{text}", f"https://example.org/{text}"):
        with suppress(Rejected):  # any other exception fails the test
            target = parse_url(url, loopback=True)
            assert target.path.isascii()
            assert target.path.isprintable()
            assert " " not in target.path
