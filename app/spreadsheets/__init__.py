"""Tables that people send and tables that they take away: one guarded reader, one guarded writer.

No other module opens a spreadsheet or writes one.
"""
