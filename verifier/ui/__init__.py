"""The desk: the face of an agency for its own staff, below `/desk/` of the address that wallets know.

Pure: shown (services and what they ask), values (what was read), standing (states of requests and grants in
codes). Edge: room (what every page needs), words (codes into sentences), watch (does it stand still), and the
pages: start, asking, requests, counter, agreements, reading, rights, oversight, finding; `app` is all of them.
"""
