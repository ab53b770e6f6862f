"""The areas of one survey: as they were at its opening, what became otherwise, and new ones."""

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.access import current_staff, record
from app.db import reading, transaction
from app.desk.views import blueprint
from app.services import audit, publishing, survey_areas


@blueprint.get("/surveys/<id:survey_id>/areas")
def survey_areas_page(survey_id: int) -> ResponseReturnValue:
    """Show the areas that a survey counts by, beside what they are today."""
    with reading() as session:
        found = publishing.find_survey(session, survey_id, current_staff().area)
        tree = survey_areas.tree_of(session, found)
        return render_template(
            "desk/survey_areas.html",
            survey=found,
            tree=tree,
            top=tree.root.path.count("/"),
            differences={
                each.place.id: each for each in survey_areas.load_differences(session, found)
            },
            new=survey_areas.load_new(session, found),
            added=request.args.get("added", type=int),
        )


@blueprint.post("/surveys/<id:survey_id>/areas")
def take_in_areas(survey_id: int) -> ResponseReturnValue:
    """Add to a survey the areas that came since it was opened."""
    with transaction() as session:
        found = publishing.find_survey(session, survey_id, current_staff().area)
        added = survey_areas.take_in(session, found)
        publishing.complete_posters(session, found)
        names = [place.name for place in added]
        record(session, audit.areas_taken_in(current_staff().name, found, names))
    return redirect(url_for("desk.survey_areas_page", survey_id=survey_id, added=len(added)), 303)
