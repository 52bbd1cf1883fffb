"""Regie before software that nobody here wrote.

Our log and our witness before Go's x/mod and two packages of PyPI; our issuer, our agency and our wallet before
npm's @openid4vc, @sd-jwt and dcql, and our wallet before PyPI's polaris-oid4vp.
"""
