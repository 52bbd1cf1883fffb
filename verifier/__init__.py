"""An agency asks, checks, and reads: no log entry, no value (OpenID4VP 1.0, HAIP 1.0; protocol sections 3, 7, 8).

Rules, pure:
ask       a request from a service of the trust list
query     a copy by DCQL: never more than the service registers
verify    an answer: what must be true before anything is stored
transaction  what a holder signs besides
verdict   the steps of an answer, in words; explain: at which one a presentation failed
gate      a READ, the log's answer to it, and the values at the very end
account   who read, sealed entry by entry; account_key: two people open it

Edge:
store     one SQLite file: requests, sessions, verdicts, grants, READs, checkpoints; no value of standing access
lists     what the desk shows page by page; book: which officer looked, and who helped
evidence  what the agency can show of its grants and READs, as one SQLite file without values
signing   the agency's key, its certificates and its entry in the trust list
client    the consent log and the issuers' status lists over HTTP
desk      the agency at work: rules between network and store, intent before effect
accept    an answer comes in; reader: what it opens
browser   on one device: the wallet comes back to the browser that began
look      an officer reads: the book first; assisted: helped at the counter, under four eyes
stop      a receipt on paper ends its agreement
officers  pseudonyms on screens, names in the sealed account (account_store)
inbox     messages of residents, and the answer to who asks to erase
standing  does a grant stand now, by the log's newest checkpoint, without a READ
follow    the same from a replica of the log's public leaves: nobody is asked about a single grant
web       the HTTP endpoints; ui: the desk of the staff; front: both behind one address
config    config.json
cli       regie verifier init | services | ask | request | verdict | requests | grants | read | check | ...
"""
