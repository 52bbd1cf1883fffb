"""The registrar signs the trust list: who may issue, who may ask what, and which logs and witnesses count.

draft     the draft, and what every entry has to be: pure
register  the rules of what may enter it: pure
roots     what a root certificate must be: pure
operators who holds the shares of a log's grants: pure
keys      note keys of logs and witnesses, and what becomes of those that go: pure
policy    the tlog-policy that a listed log gets: pure
lint      what is allowed and still worth a second look: pure
providers who attests wallets and who signs registration certificates: pure
certify   which registration certificates there are, and which are revoked: pure
wrp       registered relying parties as EUDI TS5 shows them: pure
signing   what signs beside the trust list
store     key, draft, signed list and certificates in the registrar's home
published what the server reads of it; web, openapi: what it answers
cli       `regie registrar ...`
"""
