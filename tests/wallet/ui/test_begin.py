"""The first use in a browser: a new wallet, or a backup put back."""

import io
import json
from pathlib import Path

from protocol.canonical import b64u_encode
from service.home import Home
from tests.protocol import builders
from tests.wallet.conftest import Resident
from tests.wallet.ui.face import PASSPHRASE, Face
from wallet.config import WalletConfig
from wallet.ui.begin import TRUST

KEY = json.dumps(builders.REGISTRAR.public.jwk()).encode()
LIST = "https://trust.example/list.jwt"


def new_fields(**changes: object) -> dict[str, object]:
    fields: dict[str, object] = {
        "passphrase": PASSPHRASE,
        "again": PASSPHRASE,
        "trust_list": LIST,
        "registrar": (io.BytesIO(KEY), "registrar.jwk"),
    }
    return fields | changes


def test_home_without_a_wallet_leads_to_the_choice(new_face: Face) -> None:
    assert new_face.get("/").location == "/begin"
    assert new_face.get("/unlock").location == "/begin"
    page = new_face.get("/begin")
    assert "/begin/new" in page.text
    assert "/begin/restore" in page.text


def test_resident_makes_a_wallet_in_the_browser(new_face: Face) -> None:
    answer = new_face.post("/begin/new", new_fields(), page="/begin/new")
    assert answer.location == "/"
    assert new_face.get("/").status_code == 200
    config = new_face.keeper.home.config(WalletConfig)
    assert config == WalletConfig("wallet", LIST, builders.REGISTRAR.public.jwk())


def test_program_that_was_told_whom_to_trust_does_not_ask(new_face: Face) -> None:
    told = WalletConfig("wallet", LIST, builders.REGISTRAR.public.jwk())
    new_face.keeper.home.write_json(TRUST, told)
    assert 'name="registrar"' not in new_face.get("/begin/new").text
    fields = {"passphrase": PASSPHRASE, "again": PASSPHRASE}
    assert new_face.post("/begin/new", fields, page="/begin/new").location == "/"
    assert new_face.keeper.home.config(WalletConfig) == told


def test_what_is_not_right_is_said_at_its_field_and_nothing_is_made(new_face: Face) -> None:
    wrong = {
        "too easy to guess": new_fields(passphrase="kort", again="kort"),
        "not the same": new_fields(again="vier gele fiets"),
        "address of the list": new_fields(trust_list="javascript:alert(1)"),
        "key of the registrar": new_fields(registrar=(io.BytesIO(b"{}"), "registrar.jwk")),
    }
    for words, fields in wrong.items():
        answer = new_face.post("/begin/new", fields, page="/begin/new")
        assert answer.status_code == 422
        assert words in answer.text
    assert not new_face.keeper.exists
    assert PASSPHRASE not in answer.text


def test_attack_moment_beyond_the_calendar_is_a_page_that_is_not_there(new_face: Face) -> None:
    assert new_face.get("/begin/restored/99999999999999999999").status_code == 404
    assert new_face.get("/begin/restored/253370764800").status_code == 200


def test_attack_second_wallet_over_the_first(face: Face, holder: Resident) -> None:
    before = holder.home.file("wallet.db").read_bytes()
    for path, fields in (("/begin/new", new_fields()), ("/begin/restore", {"file": (io.BytesIO(b"x"), "x")})):
        assert face.get(path).location == "/"
        assert face.post(path, fields, page="/settings").status_code == 409
    assert holder.home.file("wallet.db").read_bytes() == before


def test_resident_downloads_a_backup_and_puts_it_back(face: Face, tmp_path: Path, holder: Resident) -> None:
    answer = face.post("/backup", {"passphrase": PASSPHRASE}, page="/backup")
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="regie-20')
    assert answer.headers["Cache-Control"] == "no-store"
    assert "last backup is of" in face.get("/backup").text
    other = Face(tmp_path / "other", fetcher=holder.neighbours, clock=holder.neighbours.clock)
    fields = {"file": (io.BytesIO(answer.data), "regie.backup"), "backup_passphrase": PASSPHRASE}
    back = other.post("/begin/restore", fields, page="/begin/restore")
    assert back.location.startswith("/begin/restored/")
    assert "Your wallet is back" in other.get(back.location).text
    with other.keeper.in_use() as wallet, face.keeper.in_use() as old:
        assert wallet.copies() == old.copies()
    other.keeper.lock()


def test_restored_wallet_may_have_another_passphrase(face: Face, tmp_path: Path) -> None:
    data = face.post("/backup", {"passphrase": PASSPHRASE}, page="/backup").data
    other = Face(tmp_path / "other")
    new = "acht groene bussen"
    fields = {"backup_passphrase": PASSPHRASE, "passphrase": new, "again": new}
    other.post("/begin/restore", {"file": (io.BytesIO(data), "b"), **fields}, page="/begin/restore")
    other.keeper.lock()
    assert other.post("/unlock", {"passphrase": PASSPHRASE}, page="/unlock").status_code == 403
    assert other.post("/unlock", {"passphrase": new}, page="/unlock").status_code == 303
    other.keeper.lock()


def test_backup_needs_the_passphrase_of_the_wallet(face: Face) -> None:
    answer = face.post("/backup", {"passphrase": "vijf gele fietsen"}, page="/backup")
    assert answer.status_code == 403
    assert "Content-Disposition" not in answer.headers
    assert face.keeper.preferences().backed_up_at is None


def test_file_that_is_no_backup_makes_no_wallet(new_face: Face, face: Face) -> None:
    good = face.post("/backup", {"passphrase": PASSPHRASE}, page="/backup").data
    damaged = good[:-8] + b64u_encode(b"123456").encode()
    for data, passphrase in (
        (b"", PASSPHRASE),
        (b"{}", PASSPHRASE),
        (damaged, PASSPHRASE),
        (good, "een ander woord"),
    ):
        fields = {"file": (io.BytesIO(data), "b"), "backup_passphrase": passphrase}
        assert new_face.post("/begin/restore", fields, page="/begin/restore").status_code == 422
    assert not new_face.keeper.exists
    assert not Home(new_face.keeper.home.path).has("wallet.db")


def test_upload_has_a_limit_of_its_own(new_face: Face) -> None:
    fields = {"file": (io.BytesIO(b"x" * (2 * 1024 * 1024)), "b"), "backup_passphrase": PASSPHRASE}
    assert new_face.post("/begin/restore", fields, page="/begin/restore").status_code == 422
    text = {"codes": "1" * (2 * 1024 * 1024)}
    assert new_face.post("/lost", text).status_code == 413
