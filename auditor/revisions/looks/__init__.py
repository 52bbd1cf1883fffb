"""Revisions of schema `looks`, in their order."""
