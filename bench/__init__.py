"""Measurements: every figure is a ratio of two things that ran side by side in one run.

Absolute times on a shared machine move by a factor of two; ratios repeat within some percent. `python -m bench`
writes docs/results/bench.json, which the README quotes.
"""
