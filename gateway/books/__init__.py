"""The books: what the house has promised to people, which no log can write anew.

Persons, sessions, API keys, payment tokens and answers already given lie in the archive's
database, in tables beside it.  Unlike the archive they are no copy: a transaction of theirs
is on the disk before anybody is told of it.
"""
