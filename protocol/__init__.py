"""Formats and proofs: pure, knows nobody.

No socket, file, clock, Flask or SQL. Time and randomness come in as arguments (but inside HPKE and ECDSA).
Each module holds one specification; imports only go down the floors that `setup.cfg` lists.
"""

__version__ = "0.1.0"
