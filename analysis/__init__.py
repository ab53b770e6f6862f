"""What the answers say: frames, rates, tables, scores.

This package knows no web, no database and no clock; everything in it runs on an exported file.
"""
