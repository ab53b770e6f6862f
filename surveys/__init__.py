"""What is asked: questionnaires as data, and the check of what was answered.

This package knows no web, no database and no clock, and imports nothing of ours.
"""
