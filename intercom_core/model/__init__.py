"""The words of the field as pure values: no database, no network, no framework."""
