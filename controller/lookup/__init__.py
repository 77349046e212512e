"""Asking somebody else whose subscriber a number is, within the time a call has for it."""
