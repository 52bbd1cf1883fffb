"""What the errors of opening, keeping and restoring a wallet mean to its resident."""

from service.ui.problems import Problem, Problems
from service.ui.words import lazy as _l

PROBLEMS: Problems = {
    "no_home": Problem(_l("there is no wallet here yet"), _l("Make one, or put a backup back.")),
    "exists": Problem(
        _l("there is a wallet here already"), _l("Nothing was changed. Open the wallet that is here.")
    ),
    "not_empty": Problem(
        _l("there is a wallet with cards here already"),
        _l("Nothing was changed. Put the backup on another device."),
    ),
    "wrong_passphrase": Problem(_l("this passphrase does not fit"), _l("Try again. Mind capitals and spaces.")),
    "weak_passphrase": Problem(
        _l("this passphrase is too easy to guess"), _l("Take four words or more. Not digits alone.")
    ),
    "wallet_busy": Problem(
        _l("your wallet is busy with something else"),
        _l("Close the other program, or wait a moment and try again."),
    ),
    "vault_damaged": Problem(
        _l("the file of your wallet is damaged"),
        _l("Put a backup back. Your agreements can be stopped with the paper."),
    ),
    "vault_rolled_back": Problem(
        _l("this is an older file of your wallet"),
        _l("Put the newer file back. Is this the only one? Then tick that below."),
    ),
    "vault_unwritable": Problem(
        _l("your wallet could not be written"),
        _l("Is the disk full? Make room and try again. Nothing was changed."),
    ),
    "bad_backup": Problem(_l("this file is not a backup that we can read"), _l("Choose another file.")),
    "backup_failed": Problem(_l("the backup could not be read back"), _l("Do not rely on it. Make it once more.")),
    "sync_first": Problem(
        _l("your wallet does not know everything yet"), _l("It was restored. Update it first, then share.")
    ),
    "stops_waiting": Problem(
        _l("a stop still has to be delivered"), _l("Nothing was removed. Update your wallet, then try again.")
    ),
    "not_kept": Problem(_l("this page is over"), _l("What it was about is done, or too old. Begin again.")),
    "unknown_code": Problem(_l("nothing has this code"), _l("Check the digits on your paper.")),
    "bad_code": Problem(_l("this is not a code"), _l("A code has 40 digits. Check the digits on your paper.")),
    "bad_migration": Problem(
        _l("this file is not of another wallet"), _l("Choose the file that your other wallet made.")
    ),
    "bad_stop_paper": Problem(
        _l("this is not the number of a stop paper"), _l("It has 44 digits. Check the digits on your paper.")
    ),
    "unknown_stop_paper": Problem(
        _l("nothing belongs to this paper"), _l("Nothing was stopped. Is it the paper of this person?")
    ),
    "no_stop_paper": Problem(_l("your wallet has no stop paper"), _l("Print the recovery sheet instead.")),
    "bad_passkey": Problem(_l("the passkey did not work"), _l("Try again, or use your passphrase.")),
    "wrong_passkey": Problem(_l("this passkey does not open the wallet"), _l("Use your passphrase.")),
    "unknown_passkey": Problem(_l("this passkey is not on your list"), _l("Use your passphrase.")),
    "copied_passkey": Problem(
        _l("this passkey may have been copied"), _l("Use your passphrase. Then remove this passkey.")
    ),
    "no_prf": Problem(
        _l("this passkey cannot open a wallet"), _l("Try another device. Your passphrase always works.")
    ),
    "too_many_passkeys": Problem(_l("you have as many passkeys as fit"), _l("Remove one first.")),
    "trust_list": Problem(
        _l("the list of who may take part cannot be read"), _l("Check the address. Ask who gave it to you.")
    ),
}
