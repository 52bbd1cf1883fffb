"""Taking the wallet off a machine: for who sells it, or moves to another one.

What was given goes on: agreements end by a stop or by themselves, here as anywhere. So nothing is removed while a
stop still has to be delivered, and who calls this has to say how many agreements run.
"""

from protocol.canonical import parse_struct
from protocol.errors import Rejected
from service.home import CONFIG
from wallet.config import OUTBOX, VAULT, Outbox
from wallet.opened import OpenWallet
from wallet.state import is_running, waits_for_log


def running_grants(wallet: OpenWallet) -> list[str]:
    """Numbers of the agreements that go on without this wallet."""
    now = wallet.now()
    return [number for number, record in wallet.grants().items() if is_running(record, now)]


def remove_wallet(wallet: OpenWallet) -> None:
    """1. nothing waits to be delivered; 2. the wrappings of the store key are overwritten, without which nobody
    opens what was copied from the disk; 3. the files are deleted. The vault is closed by then.

    Backups and the paper stay what they are.
    Raises `Rejected`: `stops_waiting`; `Unavailable`: `vault_unwritable`.
    """
    home = wallet.home
    waits = any(waits_for_log(record) for record in wallet.grants().values())  # 1.
    if waits or (home.has(OUTBOX) and parse_struct(home.read_secret(OUTBOX), Outbox).codes):
        raise Rejected(
            "stops_waiting", "a stop still has to be delivered; run `regie wallet sync` first", status=409
        )
    wallet.vault.shred()  # 2.
    wallet.vault.close()
    for name in (VAULT, f"{VAULT}.counter", OUTBOX, CONFIG):  # 3.
        home.remove(name)
