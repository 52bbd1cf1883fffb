"""The resident's wallet: holds attributes, grants access, stops it, looks back. Knows the others by HTTP only.

    rules (pure)   receive  consent  choose  grant  present  revoke  history  search  recover    seed  records
    errands        errand_ receive request grant revoke paper history leaves message sync recover backup
    store, edges   vault  rows  passphrase | client  config  opened | show  cli  cli_open  cli_give  cli_after

An errand carries a rule's decision out: first it keeps in the vault what it intends, then it speaks to the peers,
then it keeps what came of it. So a crash at any point resumes, or leaves a grant that can be revoked.
"""
