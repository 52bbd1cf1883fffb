"""A party's certificates in its home: made, renewed, and found wanting before anything is signed with them."""

import hashlib
from pathlib import Path

import pytest

from protocol import x509
from protocol.errors import Rejected
from service.certificates import (
    DAY,
    ROOT,
    ROOT_KEY,
    SIGNING,
    SIGNING_KEY,
    load_certificate,
    make_certificates,
    renew_leaf,
)
from service.home import Home

NOW = 1_800_000_000
OIN = "00000099000000001000"


def drawn(seed: str):
    count = iter(range(1000))
    return lambda size: hashlib.shake_256(f"{seed}{next(count)}".encode()).digest(size)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home").create()
    for prefix in ("", "other-"):
        make_certificates(
            made, name="Gemeente", url="https://a.example/x", leaf_days=10, now=NOW, random=drawn(prefix),
            organization_id=OIN, prefix=prefix,
        )  # fmt: skip
    return made


def refusal(home: Home, now: int = NOW) -> str:
    with pytest.raises(Rejected) as caught:
        load_certificate(home, now)
    return caught.value.code


def test_leaf_says_who_its_owner_is_and_where(home: Home) -> None:
    key, leaf = load_certificate(home, NOW)
    assert key.public == leaf.key
    assert leaf.san_uri == ("https://a.example/x",)
    assert leaf.san_dns == ("a.example",)
    assert leaf.organization_id == OIN
    assert home.file(SIGNING_KEY).stat().st_mode & 0o777 == 0o600
    assert home.file(ROOT_KEY).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("url", ["https://127.0.0.1:8080", "http://[::1]:8080"])
def test_ip_address_is_no_dns_name(tmp_path: Path, url: str) -> None:
    home = Home(tmp_path).create()
    make_certificates(home, name="x", url=url, leaf_days=1, now=NOW, random=drawn("ip"))
    assert load_certificate(home, NOW)[1].san_dns == ()


def test_parts_of_a_home_have_keys_and_roots_of_their_own(home: Home) -> None:
    assert load_certificate(home, NOW)[1].der != load_certificate(home, NOW, prefix="other-")[1].der
    with pytest.raises(Rejected) as caught:
        x509.verify_chain([home.read_public("other-" + SIGNING)], [home.read_public(ROOT)], NOW)
    assert caught.value.code == "bad_chain"  # both roots are called after the party, and only one signed


def test_leaf_is_renewed_under_the_same_root(home: Home) -> None:
    before, root = load_certificate(home, NOW), home.read_public(ROOT)
    assert refusal(home, NOW + 11 * DAY) == "certificate_expired"
    renew_leaf(
        home, name="Gemeente", url="https://b.example", leaf_days=10, now=NOW + 11 * DAY, random=drawn("new")
    )
    key, leaf = load_certificate(home, NOW + 11 * DAY)
    assert key.public != before[0].public
    assert leaf.san_dns == ("b.example",)
    assert home.read_public(ROOT) == root


def test_leaf_is_not_renewed_without_the_roots_key(home: Home) -> None:
    home.remove(ROOT_KEY)
    before = home.read_public(SIGNING), home.read_secret(SIGNING_KEY)
    with pytest.raises(Rejected) as caught:
        renew_leaf(home, name="x", url="https://b.example", leaf_days=1, now=NOW, random=drawn("new"))
    assert caught.value.code == "no_home"
    assert (home.read_public(SIGNING), home.read_secret(SIGNING_KEY)) == before


def test_home_whose_renewal_was_cut_off_signs_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new key is there and the new leaf is not: what it signed would convince nobody."""
    write = Home.write_public

    def cut(self: Home, name: str, data: bytes) -> Path:
        raise OSError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(Home, "write_public", cut)
        with pytest.raises(OSError, match="power cut"):
            renew_leaf(home, name="x", url="https://b.example", leaf_days=1, now=NOW, random=drawn("new"))
    assert Home.write_public is write
    assert refusal(home) == "wrong_key"
    renew_leaf(home, name="x", url="https://b.example", leaf_days=1, now=NOW, random=drawn("again"))
    assert load_certificate(home, NOW)[1].san_dns == ("b.example",)


def test_key_that_others_can_read_is_refused(home: Home) -> None:
    home.file(SIGNING_KEY).chmod(0o644)
    assert refusal(home) == "open_secret"


def test_home_without_certificates_is_told_so(tmp_path: Path) -> None:
    assert refusal(Home(tmp_path).create()) == "no_home"


def test_long_name_is_cut_to_what_a_certificate_takes(tmp_path: Path) -> None:
    home = Home(tmp_path).create()
    make_certificates(home, name="é" * 100, url="https://a.example", leaf_days=1, now=NOW, random=drawn("long"))
    assert len(load_certificate(home, NOW)[1].common_name.encode()) <= 64
