"""群众端: the residents' pages. Public, without accounts, sessions, JavaScript or results.

Nothing here reaches `analysis`, and viewing a page stores nothing.
"""

from app.respond.views import blueprint

__all__ = ["blueprint"]
