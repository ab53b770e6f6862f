"""Verbs: each takes a session first and the instant as an argument, and never commits.

No Flask here: the view or the command opens the transaction, calls, and answers after the commit.
"""
