"""Revisions of schema `follow`, in their order."""
