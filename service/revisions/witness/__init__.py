"""Revisions of schema `witness`, in their order."""
