"""A login of staff under way, as the cookie of its browser has it: nothing is kept of one that is not finished."""

from dataclasses import dataclass

from protocol.canonical import b64u_decode, b64u_encode, hmac_sha256
from protocol.errors import Rejected
from protocol.openid_connect import LoginSecrets
from service.staff_sessions import TOKEN_BYTES
from service.ui.view import MAX_PATH, own_path

LOGIN_SECONDS = 600
"""For the login at the provider."""
_STATE, _NONCE, _VERIFIER = b"regie/staff-state/v1", b"regie/staff-nonce/v1", b"regie/staff-verifier/v1"


@dataclass(frozen=True)
class Login:
    """`seed` is random; `expires` in POSIX seconds; `back`: the page that was asked for."""

    seed: bytes
    expires: int
    back: str

    def text(self) -> str:
        """For the cookie."""
        return f"{b64u_encode(self.seed)}.{self.expires}.{b64u_encode(self.back.encode())}"


def parse_login(text: str) -> Login:
    """Raises `Rejected`: `old_login`."""
    try:
        seed, expires, back = text.split(".")
        path = own_path(b64u_decode(back, max_bytes=MAX_PATH).decode())
        return Login(b64u_decode(seed, max_bytes=TOKEN_BYTES), int(expires), path)
    except (Rejected, ValueError) as error:
        raise Rejected("old_login", "not a login of this door", status=403) from error


def secrets_of(login: Login, key: bytes) -> LoginSecrets:
    """What goes to the provider: of this login alone, and known to nobody who has its cookie but not `key`."""
    state, nonce, verifier = (
        b64u_encode(hmac_sha256(key, label, login.text().encode())) for label in (_STATE, _NONCE, _VERIFIER)
    )
    return LoginSecrets(state, nonce, verifier)
