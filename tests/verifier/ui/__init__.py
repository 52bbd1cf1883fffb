"""The desk, page by page, around the real agency of `tests.verifier.agency`."""
