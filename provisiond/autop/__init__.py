"""Autop: who asks for a file, may it have it, and what is in it."""
