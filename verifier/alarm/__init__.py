"""The alarm bell: rules over an agency's own reads, pure.

`facts` what a rule sees, all of it pseudonymous; `marks` how a value becomes a mark that only this agency can
make; `files` what the agency loads; `thresholds` when a rule rings; `rules_*` the twelve rules; `bell` rings them
all; `words` why, in a sentence.
"""
