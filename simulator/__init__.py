"""Simulated devices: they boot, pull their files over HTTP and register over SIP as real ones do."""
