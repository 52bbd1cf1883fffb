"""The resident's wallet: holds attributes, grants access, stops it, looks back. Knows the others by HTTP only.

    rules (pure)   receive  accept  consent  card  pick  choose  grant  present  revoke  history  search  recover
                   seed  records
    errands        errand_ client receive refill request registration grant deposit revoke paper history leaves
                   message sync recover check backup remove
    store          vault  vault_file  rows  passkey
    edges          client  client_issuer  conversation  loopback  config  opened
    commands       show  show_request  cli  cli_open  cli_receive  cli_give  cli_after

An errand carries a rule's decision out: first it keeps in the vault what it intends, then it speaks to the peers,
then it keeps what came of it. So a crash at any point resumes, or leaves a grant that can be revoked.
"""
