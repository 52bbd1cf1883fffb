"""C2SP signed-note: published notes verify, one form is read, and strangers' signatures do not count."""

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import Rejected
from protocol.keys import Ed25519Private, MlDsa44Private
from protocol.note import (
    MAX_KEY_NAME_BYTES,
    MAX_NOTE_BYTES,
    MAX_SIGNATURES,
    MAX_TIMESTAMP,
    NoteSignature,
    NoteSigner,
    SignatureType,
    VerifierKey,
    decode_base64,
    decode_decimal,
    encode_base64,
    is_key_name,
    parse_note,
    parse_signature_lines,
    parse_vkey,
    sign_note,
    verify_note,
)
from tests.protocol.witnessed_log import attempt, signer

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "c2sp.json").read_text())
ALICE = signer("alice.example")
BOB = signer("bob.example")
WITNESS = signer("witness.example", SignatureType.COSIGNATURE)
BODY = "a text\n\nin two parts\n"
NOTE = sign_note(BODY, [ALICE])


def code_of(text: str | bytes, keys: list[VerifierKey] | None = None) -> str:
    with pytest.raises(Rejected) as refusal:
        verify_note(text, [ALICE.key] if keys is None else keys)
    return refusal.value.code


def test_the_note_of_the_go_library_verifies() -> None:
    vector = VECTORS["note"]
    key = parse_vkey(vector["vkey"])
    assert str(key) == vector["vkey"]
    note = verify_note(vector["text"], [key])
    assert note.body + "\n" + note.signatures[0].line == vector["text"]
    assert code_of(vector["text"].replace("problem,", "problem;"), [key]) == "bad_signature"


def test_the_example_of_a_cosignature_is_read_and_framed_as_the_specification_says() -> None:
    vector = VECTORS["cosignature"]
    (line,) = parse_signature_lines(vector["line"])
    assert line.name == "witness.example.com/w1"
    assert int.from_bytes(line.signature[:8], "big") == vector["time"]
    assert line.line() == vector["line"]
    made = WITNESS.sign(vector["body"], time=vector["time"])
    signature = base64.b64decode(made.split(" ")[2])[12:]
    message = "cosignature/v1\ntime 1679315147\n" + vector["body"]
    assert signature == Ed25519Private.sign(WITNESS._private, message.encode())  # type: ignore[arg-type]


def test_a_text_and_its_signatures_come_back() -> None:
    text = sign_note(BODY, [ALICE, BOB])
    assert text == BODY + "\n" + ALICE.sign(BODY) + BOB.sign(BODY)
    note = verify_note(text.encode(), [BOB.key, ALICE.key])
    assert note.body == BODY
    assert [found.key for found in note.signatures] == [BOB.key, ALICE.key]
    assert [found.time for found in note.signatures] == [None, None]


def test_a_cosignature_has_its_time() -> None:
    text = f"{BODY}\n{WITNESS.sign(BODY, time=1679315147)}"
    (found,) = verify_note(text, [WITNESS.key]).signatures
    assert found.time == 1679315147


def test_signatures_of_unknown_keys_are_ignored_even_with_a_known_name_or_id() -> None:
    namesake = NoteSigner("alice.example", Ed25519Private(b"n" * 32))
    same_id = NoteSignature("bob.example", ALICE.key.key_id, bytes(64)).line()
    text = NOTE + namesake.sign(BODY + "x") + same_id + BOB.sign("other\n")
    assert [found.key for found in verify_note(text, [ALICE.key]).signatures] == [ALICE.key]


def test_a_note_without_a_known_signature_is_refused() -> None:
    assert code_of(NOTE, [BOB.key]) == "unknown_key"
    assert code_of(NOTE, []) == "unknown_key"


def test_a_bad_signature_by_a_known_key_condemns_the_note() -> None:
    assert code_of(NOTE + BOB.sign(BODY + "x"), [ALICE.key, BOB.key]) == "bad_signature"


def test_a_key_counts_once_with_its_latest_time() -> None:
    lines = "".join(WITNESS.sign(BODY, time=time) for time in (7, 9, 8))
    (found,) = verify_note(f"{BODY}\n{lines}", [WITNESS.key, WITNESS.key]).signatures
    assert found.time == 9


def test_a_changed_time_is_a_bad_signature() -> None:
    name, encoded = WITNESS.sign(BODY, time=5)[2:-1].split(" ")
    data = base64.b64decode(encoded)
    changed = encode_base64(data[:4] + (6).to_bytes(8, "big") + data[12:])
    assert code_of(f"{BODY}\n\u2014 {name} {changed}\n", [WITNESS.key]) == "bad_signature"


def test_times_end_at_2_to_the_63() -> None:
    for time, accepted in [(MAX_TIMESTAMP, True), (MAX_TIMESTAMP + 1, False)]:
        text = f"{BODY}\n{WITNESS.sign(BODY, time=time)}"
        if accepted:
            assert verify_note(text, [WITNESS.key]).signatures[0].time == time
        else:
            assert code_of(text, [WITNESS.key]) == "bad_signature"


def test_a_key_signs_as_one_kind_only() -> None:
    text_key = NoteSigner("witness.example", Ed25519Private(b"w" * 32))
    cosign_key = NoteSigner("witness.example", Ed25519Private(b"w" * 32), SignatureType.COSIGNATURE)
    assert text_key.key.key_id != cosign_key.key.key_id
    assert code_of(f"{BODY}\n{cosign_key.sign(BODY, time=1)}", [text_key.key]) == "unknown_key"
    with pytest.raises(ValueError, match="time"):
        text_key.sign(BODY, time=1)
    with pytest.raises(ValueError, match="time"):
        cosign_key.sign(BODY)
    with pytest.raises(ValueError, match="fit"):
        NoteSigner("x", MlDsa44Private(bytes(32)))
    with pytest.raises(ValueError, match="fit"):
        NoteSigner("x", Ed25519Private(bytes(32)), SignatureType.MLDSA44_COSIGNATURE)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "\n\n",
        BODY,
        NOTE[:-1],
        NOTE + "\n",
        NOTE + "x\n",
        NOTE.replace("\n\n\u2014", "\n\u2014"),
        NOTE.replace("\u2014 ", "- "),
        NOTE.replace("\u2014 ", "\u2014  "),
        NOTE.replace("\u2014 alice.example ", "\u2014 alice.example"),
        NOTE.replace("alice.example ", "alice.example  "),
        NOTE.replace("alice.example", "alice+example"),
        NOTE.replace("alice.example", "alice\u00a0example"),
        NOTE.replace("alice.example", ""),
        NOTE.replace("\n", "\r\n"),
        NOTE.replace("a text", "a\ttext"),
        NOTE.replace("a text", "a\0text"),
        NOTE.replace("a text", "a\ud800text"),
        NOTE.rstrip("\n") + "=\n",
        f"{BODY}\n\u2014 alice.example {encode_base64(ALICE.key.key_id)}\n",
        f"{BODY}\n\u2014 alice.example \n",
    ],
)
def test_what_is_not_a_note_is_refused(text: str) -> None:
    assert code_of(text) == "bad_note"


def test_bytes_that_are_not_utf8_are_refused() -> None:
    assert code_of(b"\xff" + NOTE.encode()) == "bad_note"
    assert code_of(NOTE.encode("utf-16")) == "bad_note"


def test_base64_with_spare_bits_set_is_no_second_form() -> None:
    encoded = NOTE.rstrip("\n").rpartition(" ")[2]
    assert encoded.endswith("=")
    spare = encoded[:-2] + chr(ord(encoded[-2]) + 1) + "="
    assert code_of(NOTE.replace(encoded, spare)) == "bad_note"
    with pytest.raises(Rejected) as refusal:
        decode_base64("AB==", max_bytes=1)
    assert refusal.value.code == "bad_base64"


def test_a_note_has_at_most_32_signatures() -> None:
    lines = [BOB.sign(f"{i}\n") for i in range(MAX_SIGNATURES - 1)]
    assert len(verify_note(NOTE + "".join(lines), [ALICE.key]).signatures) == 1
    assert code_of(NOTE + "".join(lines) + BOB.sign("more\n")) == "bad_note"


def test_a_note_has_at_most_64_kib() -> None:
    room = MAX_NOTE_BYTES - len(("\n\n" + ALICE.sign("")).encode())
    body = "x" * room + "\n"
    most = sign_note(body, [ALICE]).encode()
    assert len(most) == MAX_NOTE_BYTES
    assert verify_note(most, [ALICE.key]).body == body
    for longer in (f"x{body}\n{ALICE.sign('x' + body)}", "é" + f"{body}\n{ALICE.sign('é' + body)}"):
        assert code_of(longer) == "too_large"
        assert code_of(longer.encode()) == "too_large"
    multibyte = "é" * (MAX_NOTE_BYTES // 2) + "\n"
    assert code_of(f"{multibyte}\n{ALICE.sign(multibyte)}") == "too_large"


@given(st.integers(0, len(NOTE) - 1), st.characters())
def test_a_note_with_one_other_character_is_refused(place: int, char: str) -> None:
    changed = NOTE[:place] + char + NOTE[place + 1 :]
    if changed != NOTE:
        assert code_of(changed) in {"bad_note", "bad_signature", "unknown_key"}


@given(st.text(max_size=80))
def test_any_text_is_read_back_or_refused(text: str) -> None:
    note = attempt(lambda: parse_note(text))
    if isinstance(note, str):
        assert note == "bad_note"
    else:
        assert note.body + "\n" + "".join(found.line() for found in note.signatures) == text


def test_what_cannot_be_a_note_is_not_signed() -> None:
    for body in ("no newline", "tab\t\n"):
        with pytest.raises((ValueError, Rejected)):
            sign_note(body, [ALICE])
    with pytest.raises(Rejected):
        sign_note(BODY, [])


@pytest.mark.parametrize(
    "name", ["", "a b", "a+b", "a\nb", "a\u2003b", "a\x01b", "x" * (MAX_KEY_NAME_BYTES + 1), "é" * 128]
)
def test_key_names_without_use_are_refused(name: str) -> None:
    assert not is_key_name(name)
    with pytest.raises(ValueError, match="note key"):
        VerifierKey(name, SignatureType.ED25519, bytes(32))


def test_key_names_have_at_most_255_bytes() -> None:
    assert is_key_name("x" * MAX_KEY_NAME_BYTES)
    assert is_key_name("é" * 127)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "alice.example",
        "alice.example+",
        "alice.example++",
        str(ALICE.key) + "=",
        str(ALICE.key)[:-4],
        str(ALICE.key).upper(),
        str(ALICE.key).replace("alice", "bob"),
        "+" + str(ALICE.key),
        " " + str(ALICE.key),
        f"x+00000000+{encode_base64(bytes([2]) + bytes(32))}",
        f"x+00000000+{encode_base64(bytes([6]) + bytes(32))}",
        f"x\ud800+00000000+{encode_base64(bytes([1]) + bytes(32))}",
    ],
)
def test_a_vkey_in_another_form_is_refused(text: str) -> None:
    with pytest.raises(Rejected) as refusal:
        parse_vkey(text)
    assert refusal.value.code == "bad_vkey"


@pytest.mark.parametrize("signature_type", SignatureType)
def test_a_vkey_comes_back(signature_type: SignatureType) -> None:
    public = MlDsa44Private(bytes(32)).public if signature_type == 6 else bytes(32)
    key = VerifierKey("name.example/ü", signature_type, public)
    assert parse_vkey(str(key)) == key
    with pytest.raises(ValueError, match="note key"):
        VerifierKey("name", signature_type, public + b"x")


def test_keys_that_cannot_be_told_apart_are_refused() -> None:
    twin = VerifierKey("alice.example", SignatureType.ED25519, bytes(32))
    object.__setattr__(twin, "_key_id", ALICE.key.key_id)
    assert code_of(NOTE, [ALICE.key, twin]) == "bad_vkey"


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "01", "00", " 1", "1 ", "1_0", "٣", "1.0", "0x1", "9" * 21, "100"]
)
def test_a_number_in_another_form_is_refused(text: str) -> None:
    with pytest.raises(Rejected) as refusal:
        decode_decimal(text, below=100)
    assert refusal.value.code == "bad_decimal"


def test_numbers_come_back() -> None:
    assert [decode_decimal(str(n), below=100) for n in (0, 9, 10, 99)] == [0, 9, 10, 99]
