"""A base register signs attributes (OpenID4VCI 1.0, HAIP 1.0, SD-JWT VC, Token Status List).

Rules, pure:
brp          the forms of an answer of BRP API Personen 2.7.0, as far as attributes are made of it
dates        partial dates and what age can be said of them
names        the full name of a person
register     a person in the register -> the attributes of each credential type
handle       codes and ids that only we can have made
nonce        nonces made without storing them
offer        who may fetch what, with which code from the desk, for how long
authorize    what a login goes through, from the pushed request to the code's redemption
id_token     who has logged in, by the ID token of an OpenID provider
renew        who may come back for more, with which refresh token
holders      the keys that copies are bound to, by the proofs of a request
defer        credentials that wait until a clerk has looked
issue        copies in sets: what a credential request leads to
revoke       the status list of what was issued

Edge:
tables       the tables of the stores
store        register, offers, copies, status indexes; store_oauth, store_deferred, store_revocation: the rest
client       the OpenID provider at which residents log in
signing      the issuer's keys, its certificates and its entry in the trust list
possession   who asks: wallet attestations and DPoP proofs, each taken once
office       the desk at work: one transaction around a rule for each act
authorization_server, token_server, issuing   what wallets and browsers ask, likewise
metadata     what the issuer says of itself
web          the HTTP endpoints; web_oauth, web_issuance, web_errors: the rest
openapi      their description
config       config.json
cli          regie issuer init | import | offer | issued | revoke | hold | waiting | approve | deny | login | serve
"""
