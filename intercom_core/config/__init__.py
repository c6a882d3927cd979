"""Configuration: TOML and environment, strict, all mistakes told at once."""
