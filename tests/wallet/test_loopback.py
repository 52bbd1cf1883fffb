"""The listener to which the resident's browser comes back: who may hold it up, and what it takes."""

import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from protocol.errors import Unavailable
from wallet.loopback import LoopbackBrowser

PATIENCE = 60.0
"""Seconds for which the slow caller goes on: he gives up only where nothing else is answered before."""


@contextmanager
def slow_caller(redirect_uri: str) -> Iterator[threading.Event]:
    """Sends a byte of a request now and then; the event says that he gave up."""
    gave_up, stop = threading.Event(), threading.Event()

    def drip(connection: socket.socket) -> None:
        for _ in range(int(PATIENCE / 0.1)):
            connection.sendall(b"G")
            if stop.wait(0.1):
                return
        gave_up.set()

    with socket.create_connection(("127.0.0.1", urlsplit(redirect_uri).port)) as connection:
        thread = threading.Thread(target=drip, args=(connection,))
        thread.start()
        try:
            yield gave_up
        finally:
            stop.set()
            thread.join()


def listener(show: object = None, seconds: float = 10) -> LoopbackBrowser:
    return LoopbackBrowser(show if callable(show) else lambda url: None, secrets.token_bytes, seconds=seconds)


def test_attack_a_slow_caller_keeps_no_answer_out() -> None:
    def come_back(url: str) -> None:
        threading.Thread(target=urlopen, args=(f"{browser.redirect_uri}?code=1&state=2",), daemon=True).start()

    with closing(listener(come_back)) as browser, slow_caller(browser.redirect_uri) as gave_up:
        assert browser.visit("http://issuer.example") == "code=1&state=2"
        assert not gave_up.is_set()


def test_attack_a_slow_caller_makes_no_wait_longer() -> None:
    with closing(listener(seconds=0.2)) as browser, slow_caller(browser.redirect_uri) as gave_up:
        with pytest.raises(Unavailable, match="no_login"):
            browser.visit("http://issuer.example")
        assert not gave_up.is_set()


def test_second_answer_changes_nothing() -> None:
    def come_back_twice(url: str) -> None:
        with urlopen(f"{browser.redirect_uri}?code=1") as answer:
            assert answer.status == 200
        with pytest.raises(OSError, match="404"):
            urlopen(f"{browser.redirect_uri}?code=2")

    with closing(listener(come_back_twice)) as browser:
        assert browser.visit("http://issuer.example") == "code=1"
