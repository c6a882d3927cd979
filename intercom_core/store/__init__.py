"""Schema, transactions, migrations and the queries that more than one daemon needs."""
