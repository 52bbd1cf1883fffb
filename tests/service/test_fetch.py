"""The fetcher against a real server on a real socket that does what a bad peer does."""

import gzip
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from protocol.errors import Rejected, Unavailable
from protocol.keys import Es256Private
from protocol.x509 import make_leaf, make_root
from service.fetch import MAX_ANSWER_BYTES, MAX_PROBLEM_BYTES, Fetcher
from tests.waiting import wait_until

Handler = Callable[[socket.socket, bytes], bool | None]
"""Gets the connection and the request; True keeps the connection for another request."""
JSON = "application/json"


class Peer:
    """Answers each request with bytes of the test's own making; remembers requests and counts connections."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.handler: Handler = lambda connection, request: None
        self.requests: list[bytes] = []
        self.connections, self.closed = 0, 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            while request := self._read(connection):
                self.requests.append(request)
                try:
                    if not self.handler(connection, request):
                        break
                except OSError:
                    break
        self.closed += 1

    @staticmethod
    def _read(connection: socket.socket) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            if not (chunk := connection.recv(65536)):
                return b""
            data += chunk
        head, _, body = data.partition(b"\r\n\r\n")
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                while len(body) < int(line.split(b":")[1]):
                    body += connection.recv(65536)
        return head + b"\r\n\r\n" + body

    def answers(
        self, status: str, body: bytes = b"", *headers: str, content_type: str = "application/json"
    ) -> None:
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", f"Content-Type: {content_type}", *headers]
        whole = "\r\n".join(lines).encode() + b"\r\n\r\n" + body

        def handler(connection: socket.socket, request: bytes) -> bool:
            connection.sendall(whole)
            return True

        self.handler = handler


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.listener.close()


@pytest.fixture
def fetcher() -> Fetcher:
    return Fetcher(loopback=True, total_seconds=60.0)


@pytest.fixture
def hurried() -> Fetcher:
    """Gives up long before the peers of this file do."""
    return Fetcher(loopback=True, total_seconds=0.5)


@pytest.fixture
def patience() -> Iterator[float]:
    """Seconds after which a peer gives up: whoever has waited that long has no time limit."""
    started = time.monotonic()
    yield 60.0
    assert time.monotonic() - started < 60.0


class Thing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    a: int


def refusal(act: Callable[[], object]) -> Rejected:
    with pytest.raises(Rejected) as caught:
        act()
    return caught.value


def failure(act: Callable[[], object]) -> Unavailable:
    with pytest.raises(Unavailable) as caught:
        act()
    return caught.value


def test_answer_comes_back_whole(peer: Peer, fetcher: Fetcher) -> None:
    peer.answers("200 OK", b'{"a":1}', "ETag: x", content_type="application/json; charset=utf-8")
    answer = fetcher.get(f"{peer.url}/path?q=1")
    assert (answer.status, answer.json(Thing), answer.text, answer.headers["etag"]) == (
        200,
        Thing(1),
        '{"a":1}',
        "x",
    )
    head = peer.requests[0].decode().lower()
    assert head.startswith("get /path?q=1 http/1.1\r\n")
    assert "accept-encoding: identity" in head
    assert "accept: application/json" in head
    assert "cookie" not in head


def test_connection_is_kept_and_shared_by_threads(peer: Peer, fetcher: Fetcher) -> None:
    peer.answers("200 OK", b"{}")
    for _ in range(20):
        fetcher.get(peer.url)
    assert peer.connections == 1
    threads = [threading.Thread(target=fetcher.get, args=(peer.url,)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(peer.requests) == 32
    assert peer.connections <= 12


def test_posts_carry_their_bodies(peer: Peer, fetcher: Fetcher) -> None:
    peer.answers("201 Created", b'{"a":1}')
    assert fetcher.post_json(peer.url, {"b": 2, "a": Thing(1)}).status == 201
    fetcher.post_form(peer.url, {"a": "x y", "b": "é&="})
    fetcher.post_bytes(peer.url, b"old 0\n", "text/plain")
    fetcher.delete(peer.url, headers={"Authorization": "Bearer t"})
    bodies = [request.partition(b"\r\n\r\n")[2] for request in peer.requests]
    assert bodies == [b'{"a":{"a":1},"b":2}', b"a=x+y&b=%C3%A9%26%3D", b"old 0\n", b""]
    assert b"content-type: application/x-www-form-urlencoded" in peer.requests[1].lower()
    assert peer.requests[3].startswith(b"DELETE / ")
    assert b"Bearer t" in peer.requests[3]


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_redirect_is_refused_and_not_followed(peer: Peer, fetcher: Fetcher, status: str) -> None:
    peer.answers(status, b"", f"Location: {peer.url}/elsewhere")
    assert refusal(lambda: fetcher.get(peer.url)).code == "redirect"
    assert len(peer.requests) == 1


def test_answer_at_the_limit_is_taken_and_one_byte_more_refused(peer: Peer, fetcher: Fetcher) -> None:
    peer.answers("200 OK", b"x" * MAX_ANSWER_BYTES)
    assert len(fetcher.get(peer.url).body) == MAX_ANSWER_BYTES
    peer.answers("200 OK", b"x" * (MAX_ANSWER_BYTES + 1))
    assert refusal(lambda: fetcher.get(peer.url)).code == "too_large"
    assert len(fetcher.get(peer.url, max_bytes=MAX_ANSWER_BYTES + 1).body) == MAX_ANSWER_BYTES + 1


def test_endless_chunked_answer_is_cut_off(peer: Peer, fetcher: Fetcher) -> None:
    def endless(connection: socket.socket, request: bytes) -> None:
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        while True:
            connection.sendall(b"1000\r\n" + bytes(4096) + b"\r\n")

    closed = threading.Event()

    def until_closed(connection: socket.socket, request: bytes) -> None:
        with suppress(OSError):
            endless(connection, request)
        closed.set()

    peer.handler = until_closed
    assert refusal(lambda: fetcher.get(peer.url)).code == "too_large"
    assert closed.wait(60)  # not left to fill


def test_answer_that_lies_about_its_length_is_refused(peer: Peer, fetcher: Fetcher) -> None:
    def short(connection: socket.socket, request: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{}")

    peer.handler = short
    assert failure(lambda: fetcher.post_json(peer.url, {})).code == "unreachable"


def test_gzip_is_undone_within_the_limit(peer: Peer, fetcher: Fetcher) -> None:
    peer.answers("200 OK", gzip.compress(b'{"a":1}'), "Content-Encoding: gzip")
    assert fetcher.get(peer.url).json(Thing) == Thing(1)


def test_gzip_bomb_is_refused(peer: Peer, fetcher: Fetcher) -> None:
    bomb = gzip.compress(bytes(32 * 1024 * 1024))
    assert len(bomb) < MAX_ANSWER_BYTES
    peer.answers("200 OK", bomb, "Content-Encoding: gzip")
    assert refusal(lambda: fetcher.get(peer.url)).code == "too_large"


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("br", b"x"),
        ("gzip, gzip", gzip.compress(b"{}", mtime=0)),
        ("gzip", b"not gzip"),
        ("gzip", gzip.compress(b"{}", mtime=0)[:-3]),
        ("gzip", gzip.compress(b"{}", mtime=0) + b"more"),
    ],
)
def test_other_encodings_are_refused(peer: Peer, fetcher: Fetcher, coding: str, body: bytes) -> None:
    peer.answers("200 OK", body, f"Content-Encoding: {coding}")
    assert refusal(lambda: fetcher.get(peer.url)).code == "bad_media_type"


@pytest.mark.parametrize("media_type", ["text/html", "application/jsonx", "", "text/plain; application/json"])
def test_other_media_type_is_refused(peer: Peer, fetcher: Fetcher, media_type: str) -> None:
    peer.answers("200 OK", b"{}", content_type=media_type)
    assert refusal(lambda: fetcher.get(peer.url)).code == "bad_media_type"
    assert fetcher.get(peer.url, accept=None).body == b"{}"


def test_one_of_several_media_types_is_taken(peer: Peer, fetcher: Fetcher) -> None:
    peer.answers("200 OK", b"x", content_type="text/plain")
    assert fetcher.get(peer.url, accept=("application/json", "text/plain")).body == b"x"


def test_silent_peer_costs_no_more_than_the_time_limit(peer: Peer, hurried: Fetcher, patience: float) -> None:
    peer.handler = lambda connection, request: time.sleep(patience)
    assert failure(lambda: hurried.get(peer.url)).code == "unreachable"


@pytest.mark.parametrize("where", ["headers", "body"])
def test_peer_that_trickles_bytes_costs_no_more_than_the_time_limit(
    peer: Peer, hurried: Fetcher, patience: float, where: str
) -> None:
    def trickle(connection: socket.socket, request: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
        connection.sendall(b"X: " if where == "headers" else b"Content-Length: 60000\r\n\r\n")
        while True:
            connection.sendall(b" ")
            time.sleep(0.05)

    peer.handler = trickle
    assert failure(lambda: hurried.get(peer.url)).code == "unreachable"


def test_longer_limit_can_be_asked_for(peer: Peer, hurried: Fetcher) -> None:
    def late(connection: socket.socket, request: bytes) -> bool:
        time.sleep(0.7)
        connection.sendall(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n")
        return True

    peer.handler = late
    assert failure(lambda: hurried.post_json(peer.url, {})).code == "unreachable"
    assert hurried.post_json(peer.url, {}, total_seconds=60).status == 204


def test_slow_resolver_costs_no_more_than_the_time_limit(patience: float) -> None:
    over = threading.Event()

    def slow(host: str, port: int) -> list[str]:
        over.wait(patience)
        return ["8.8.8.8"]

    code = failure(lambda: Fetcher(resolver=slow, total_seconds=0.3).get("https://slow.example/")).code
    over.set()
    assert code == "unreachable"


def test_peer_that_is_not_there_is_unreachable(fetcher: Fetcher) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert failure(lambda: fetcher.get(f"http://127.0.0.1:{port}/")).code == "unreachable"


def test_connection_that_was_closed_meanwhile_is_opened_again(peer: Peer, fetcher: Fetcher) -> None:
    def once(connection: socket.socket, request: bytes) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
        return False

    peer.handler = once
    for answered in range(1, 4):
        fetcher.get(peer.url)
        wait_until(lambda answered=answered: peer.closed == answered)
    assert peer.connections == 3


def test_post_is_never_sent_twice(peer: Peer, fetcher: Fetcher) -> None:
    peer.handler = lambda connection, request: False
    assert failure(lambda: fetcher.post_json(peer.url, {})).code == "unreachable"
    assert len(peer.requests) == 1


def test_get_is_sent_twice_at_most(peer: Peer, fetcher: Fetcher) -> None:
    peer.handler = lambda connection, request: False
    assert failure(lambda: fetcher.get(peer.url)).code == "unreachable"
    assert len(peer.requests) == 2


def test_problem_becomes_our_refusal(peer: Peer, fetcher: Fetcher) -> None:
    body = b'{"type":"about:blank","status":410,"code":"revoked","detail":"grant was revoked","extra":[1]}'
    peer.answers("410 Gone", body, content_type="application/problem+json")
    error = refusal(lambda: fetcher.post_json(peer.url, {}))
    assert (error.code, error.detail, error.status) == ("revoked", "grant was revoked", 410)


def test_oauth_error_becomes_our_refusal(peer: Peer, fetcher: Fetcher) -> None:
    peer.answers("400 Bad Request", b'{"error":"invalid_grant","error_description":"used"}')
    error = refusal(lambda: fetcher.post_form(peer.url, {}))
    assert (error.code, error.detail, error.status) == ("invalid_grant", "used", 400)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/html", b"<h1>no</h1>"),
        ("application/problem+json", b"{"),
        ("application/problem+json", b"[]"),
        ("application/problem+json", b""),
        ("application/problem+json", b'{"code":7}'),
        ("application/problem+json", b'{"code":"\\u001b[31mred"}'),
        ("application/problem+json", b'{"code":"' + b"a" * 65 + b'"}'),
        ("application/problem+json", b'{"code":"a","code":"b"}'),
    ],
)
def test_refusal_without_a_usable_code_is_an_http_error(
    peer: Peer, fetcher: Fetcher, content_type: str, body: bytes
) -> None:
    peer.answers("404 Not Found", body, content_type=content_type)
    error = refusal(lambda: fetcher.get(peer.url))
    assert (error.code, error.status) == ("http_error", 404)


def test_detail_of_a_peer_is_cut_and_cleaned(peer: Peer, fetcher: Fetcher) -> None:
    detail = "\\u001b[2J" + "x" * 600
    peer.answers("400 Bad Request", f'{{"code":"bad","detail":"{detail}"}}'.encode())
    error = refusal(lambda: fetcher.get(peer.url))
    assert error.detail.startswith("[2J")
    assert error.detail.isprintable()
    assert len(error.detail) <= 500


def test_refusal_may_be_longer_than_the_answer_asked_for(peer: Peer, fetcher: Fetcher) -> None:
    body = b'{"code":"bad","detail":"' + b"x" * 200 + b'"}'
    peer.answers("400 Bad Request", body, content_type="application/problem+json")
    assert refusal(lambda: fetcher.get(peer.url, max_bytes=10)).code == "bad"
    peer.answers("400 Bad Request", b" " * (MAX_PROBLEM_BYTES + 1), content_type="application/problem+json")
    assert refusal(lambda: fetcher.get(peer.url, max_bytes=10)).code == "too_large"


@pytest.mark.parametrize(("after", "seconds"), [("7", 7), ("99999", 3600), ("-1", 1), ("soon", 1), ("²", 1)])
def test_failing_peer_is_unavailable(peer: Peer, fetcher: Fetcher, after: str, seconds: int) -> None:
    body = b'{"code":"no_quorum","detail":"witnesses are missing"}'
    peer.answers("503 Service Unavailable", body, "Retry-After: " + after, content_type="application/problem+json")
    error = failure(lambda: fetcher.get(peer.url))
    assert (error.code, error.detail, error.retry_after) == ("no_quorum", "witnesses are missing", seconds)
    peer.answers("500 Oops", b"stack trace", content_type="text/plain")
    assert failure(lambda: fetcher.get(peer.url)).code == "unreachable"


def test_expected_status_is_returned_as_it_is(peer: Peer, fetcher: Fetcher) -> None:
    peer.answers("409 Conflict", b"42\n", content_type="text/x.tlog.size")
    answer = fetcher.post_bytes(peer.url, b"", "text/plain", accept="text/plain", expect=(409,))
    assert (answer.status, answer.body, answer.media_type) == (409, b"42\n", "text/x.tlog.size")


def test_text_that_is_not_utf8_is_refused(peer: Peer, fetcher: Fetcher) -> None:
    peer.answers("200 OK", b"\xff", content_type="text/plain")
    answer = fetcher.get(peer.url, accept="text/plain")
    assert refusal(lambda: answer.text).code == "bad_text"


def test_garbage_instead_of_http_is_unreachable(peer: Peer, fetcher: Fetcher) -> None:
    def garbage(connection: socket.socket, request: bytes) -> None:
        connection.sendall(b"SSH-2.0-OpenSSH_9.0\r\n")

    peer.handler = garbage
    assert failure(lambda: fetcher.post_json(peer.url, {})).code == "unreachable"


def test_proxy_of_the_environment_is_ignored(
    peer: Peer, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    peer.answers("200 OK", b"{}")
    assert fetcher.get(peer.url).status == 200
    assert peer.requests[0].startswith(b"GET / ")


def test_cookie_is_not_sent_back(peer: Peer, fetcher: Fetcher) -> None:
    peer.answers("200 OK", b"{}", "Set-Cookie: a=b")
    fetcher.get(peer.url)
    fetcher.get(peer.url)
    assert b"cookie" not in peer.requests[1].lower()


def test_loopback_is_refused_unless_the_environment_says_so(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    peer.answers("200 OK", b"{}")
    for value in ("", "0", "true"):
        monkeypatch.setenv("REGIE_LOOPBACK", value)
        refusing = Fetcher()
        assert refusal(lambda refusing=refusing: refusing.get(peer.url)).code == "bad_url"
    monkeypatch.setenv("REGIE_LOOPBACK", "1")
    assert Fetcher().get(peer.url).status == 200
    assert len(peer.requests) == 1


def test_name_that_resolves_to_this_machine_gets_no_connection(peer: Peer) -> None:
    port = peer.url.rpartition(":")[2]
    rebinding = Fetcher(loopback=True, resolver=lambda host, _: ["127.0.0.1"])
    assert refusal(lambda: rebinding.get(f"https://rebinding.example:{port}/")).code == "refused_address"
    assert peer.connections == 0


def test_name_is_resolved_once_for_each_connection(peer: Peer) -> None:
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])
    fetcher = Fetcher(loopback=True, resolver=lambda host, port: next(answers))
    peer.answers("200 OK", b"{}")
    fetcher.get(peer.url)
    fetcher.get(peer.url)
    assert peer.connections == 1
    peer.handler = lambda connection, request: False
    with pytest.raises((Rejected, Unavailable)):
        fetcher.get(peer.url)  # the new connection is checked anew


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A CA, and certificates of `localhost` and of another name with their key, as PEM files."""
    folder = tmp_path_factory.mktemp("tls")
    now = int(time.time())
    dates = {"not_before": now - 60, "not_after": now + 3600}
    root_key, key = Es256Private.from_secret(bytes(47) + b"1"), Es256Private.from_secret(bytes(47) + b"2")
    root = make_root(root_key, "Test CA", serial=1, **dates)
    made = {"ca": root, "localhost": b"", "other.example": b""}
    for serial, name in enumerate(("localhost", "other.example"), 2):
        made[name] = make_leaf(key.public, name, root_key, root, san_dns=name, serial=serial, **dates)
    paths = {}
    for name, der in made.items():
        paths[name] = folder / f"{name}.pem"
        paths[name].write_bytes(ssl.DER_cert_to_PEM_cert(der).encode() + (b"" if name == "ca" else key.to_pem()))
    return paths


class TlsPeer(Peer):
    """The same over TLS."""

    def __init__(self, certificate: Path) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)
        super().__init__()
        self.url = self.url.replace("http://127.0.0.1", "https://localhost")

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError):
            super()._serve(self.context.wrap_socket(connection, server_side=True))


def test_tls_is_spoken_with_a_certificate_of_the_added_authority(authority: dict[str, Path]) -> None:
    peer = TlsPeer(authority["localhost"])
    peer.answers("200 OK", b'{"a":1}')
    fetcher = Fetcher(loopback=True, ca_file=str(authority["ca"]), resolver=lambda host, port: ["127.0.0.1"])
    assert fetcher.get(f"{peer.url}/").json(Thing) == Thing(1)
    assert fetcher.get(f"{peer.url}/").json(Thing) == Thing(1)
    assert peer.connections == 1
    peer.listener.close()


@pytest.mark.parametrize(("certificate", "has_authority"), [("other.example", True), ("localhost", False)])
def test_certificate_of_another_name_or_authority_is_refused(
    authority: dict[str, Path], certificate: str, has_authority: bool
) -> None:
    peer = TlsPeer(authority[certificate])
    peer.answers("200 OK", b"{}")
    ca_file = str(authority["ca"]) if has_authority else None
    fetcher = Fetcher(loopback=True, ca_file=ca_file, resolver=lambda host, port: ["127.0.0.1"])
    assert failure(lambda: fetcher.get(f"{peer.url}/")).code == "unreachable"
    assert peer.requests == []
    peer.listener.close()


def test_tls_peer_that_trickles_bytes_costs_no_more_than_the_time_limit(
    authority: dict[str, Path], patience: float
) -> None:
    def trickle(connection: socket.socket, request: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        while True:
            connection.sendall(b" ")
            time.sleep(0.05)

    peer = TlsPeer(authority["localhost"])
    peer.handler = trickle
    fetcher = Fetcher(
        loopback=True, ca_file=str(authority["ca"]), resolver=lambda host, port: ["127.0.0.1"], total_seconds=0.5
    )
    assert failure(lambda: fetcher.get(f"{peer.url}/")).code == "unreachable"
    peer.listener.close()
