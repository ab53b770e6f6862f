"""What residents wrote: for evaluators of the area alone, and every look is on record."""

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from app.access import current_staff, record
from app.db import transaction
from app.services import audit, publishing, results

# A blueprint of its own because it has an audience of its own.
blueprint = Blueprint("texts", __name__, url_prefix="/desk")


@blueprint.get("/surveys/<id:survey_id>/texts")
def page(survey_id: int) -> ResponseReturnValue:
    """Show a page of what residents wrote, in an order that says nothing."""
    number = min(max(request.args.get("page", 1, type=int), 1), 10_000)
    start = (number - 1) * results.TEXTS_ON_A_PAGE
    staff = current_staff()
    with transaction() as session:
        survey = publishing.find_survey(session, survey_id, staff.area)
        found = results.load_texts(session, survey, staff.area, start)
        shown = found[: results.TEXTS_ON_A_PAGE]
        kept, erased = results.count_texts(session, survey)
        record(session, audit.texts_viewed(staff.name, survey, len(shown)))
    return render_template(
        "desk/texts.html",
        survey=survey,
        texts=shown,
        kept=kept,
        erased=erased,
        number=number,
        has_more=len(found) > len(shown),
    )
