"""Revisions of schema `figures`, in their order."""
