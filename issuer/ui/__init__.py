"""The counter of an issuer, for its staff: find somebody, see who it is, give cards, take cards back.

`app` makes it, behind the door of the staff (`service.ui.staff`). `find`, `person`, `giving` and `waiting` are its
pages; `drawer` holds what a clerk is busy with, so that no BSN stands in an address; `show` says what is seen.
Everything that is decided is decided by `issuer.counter` and the office behind it.
"""
