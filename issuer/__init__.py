"""A base register signs attributes (OpenID4VCI 1.0 pre-authorized code flow, SD-JWT VC, Token Status List).

Rules, pure:
brp       the forms of an answer of BRP API Personen 2.7.0, as far as attributes are made of it
dates     partial dates and what age can be said of them
names     the full name of a person
register  a person in the register -> the attributes of each credential type
offer     who may fetch what, with which code, for how long
nonce     c_nonce: made without storing it, spent once
issue     copies in sets: what a credential request leads to
revoke    the status list of what was issued

Edge:
tables    the tables of the store
store     register, offers, copies, status indexes, spent nonces
signing   the issuer's key, its certificates and its entry in the trust list
office    the issuer at work: one transaction around a rule for each act
web       the HTTP endpoints
config    config.json
cli       regie issuer init | import | offer | issued | revoke | serve
"""
