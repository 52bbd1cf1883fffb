"""Revisions of schema `issuer`, in their order."""
