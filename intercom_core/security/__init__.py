"""Keys, sealed secrets and SIP credentials."""
