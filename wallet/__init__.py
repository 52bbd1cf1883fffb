"""The resident's wallet: holds attributes, grants access, stops it, looks back. Knows the others by HTTP only.

    rules (pure)      receive  choose  grant  present  revoke  history      bytes in, decision out
    errands           errand_receive  errand_grant  errand_share  errand_revoke  errand_history  errand_backup
    store and edges   records  vault  passphrase | client  config  cli

An errand carries a rule's decision out: first it keeps in the vault what it intends, then it speaks to the peers,
then it keeps what came of it. So a crash at any point resumes, or leaves a grant that can be revoked.
"""
