"""现场端: field staff's pages, for cards handed out and come back, within their own area."""

from app.field import acts, back_checks
from app.field.views import blueprint

__all__ = ["acts", "back_checks", "blueprint"]
