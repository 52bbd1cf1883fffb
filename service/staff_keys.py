"""What a home authenticates with at the provider of its staff: `staff-key.pem` (P-256), or else `staff-secret`."""

from collections.abc import Callable

from protocol.keys import Es256Private, Es256Public
from service.home import Home
from service.openid import ClientCredentials
from service.staff import StaffConfig

STAFF_KEY, STAFF_SECRET = "staff-key.pem", "staff-secret"


def make_staff_key(home: Home, random: Callable[[int], bytes]) -> Es256Public:
    """The public key to register at the OpenID provider; drawn when there is none."""
    home.create_secret(STAFF_KEY, Es256Private.from_secret(random(48)).to_pem())
    return Es256Private.from_pem(home.read_secret(STAFF_KEY)).public


def load_staff_credentials(home: Home, staff: StaffConfig) -> ClientCredentials:
    """What the provider knows this home by. Raises `Rejected`: `no_home`, `open_secret`."""
    if staff.client_auth == "private_key_jwt":
        return ClientCredentials(key=Es256Private.from_pem(home.read_secret(STAFF_KEY)))
    return ClientCredentials(secret=home.read_secret(STAFF_SECRET).decode().strip())
