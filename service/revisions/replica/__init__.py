"""Revisions of schema `replica`, in their order."""
