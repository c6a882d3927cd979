"""The change log: how the daemons learn of each other's work without ever calling each other.

A writer adds one row a change in its own transaction. Every reader follows the rows behind a cursor of its own.
Wake-ups only shorten the wait; a lost one costs latency, never a change.
"""
