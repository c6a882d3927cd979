"""The REST API and the console: who may do what to which project, and the rows that say what was done."""
