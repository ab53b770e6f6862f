"""Alarms that a person sees and whoever runs the server finds in the log, by one reference."""

import secrets
from collections.abc import Sequence

from flask import current_app

from app.services.ledger import Difference


def card_alarm(differences: Sequence[Difference]) -> str | None:
    """Log where books and cards disagree; return the reference, or None where they agree."""
    if not differences:
        return None
    reference = secrets.token_hex(4)
    for each in differences:
        current_app.logger.error("[%s] cards: %s", reference, each)
    return reference
