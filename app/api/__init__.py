"""For machines: the same figures as the pages, by token, each question on record."""

from app.api.views import blueprint

__all__ = ["blueprint"]
