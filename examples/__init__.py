"""Stories that run: the roles are known only through the command line and HTTP, as a user's own script would know
them.

`town` is the demo; `parking` its main story, `living_town` the longer one that its faces show, `hidden_read` the
log that lies in three ways (`lying_log` is the villain); `moving_house` and `debt_help` tell of the practice.
`founding` starts a town, `faces` one with its faces, `processes` what runs in it, `identity_provider` where people
sign in.
"""
