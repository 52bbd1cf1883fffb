"""Tests of the issuer: rules one by one, then the endpoints clause by clause, then a server process."""
