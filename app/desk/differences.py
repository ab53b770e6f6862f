"""Differences between two surveys, and between the towns of one, with their tests."""

from flask import render_template, request
from flask.typing import ResponseReturnValue

from app.access import current_staff
from app.db import reading
from app.desk.views import blueprint
from app.services import comparing, publishing, results


@blueprint.get("/surveys/<id:survey_id>/differences")
def differences(survey_id: int) -> ResponseReturnValue:
    """Show how a survey's rates differ from another's, and one measure's between towns."""
    branch = current_staff().area
    with reading() as session:
        survey = publishing.find_survey(session, survey_id, branch)
        others = [one for one in publishing.load_surveys(session, branch) if one.id != survey_id]
        evidence = results.load_evidence(session, survey)
        with_id = request.args.get("with", type=int)
        other = next((one for one in others if one.id == with_id), None)
        earlier = results.load_evidence(session, other) if other else None
    measures = [one for one in evidence.questionnaire.measures if not one.per_option]
    wanted, town = request.args.get("measure"), request.args.get("town", type=int)
    measure = next((one for one in measures if one.id == wanted), None)
    reference = next((one for one in evidence.towns if one.id == town), None)
    return render_template(
        "desk/differences.html",
        survey=survey,
        others=others,
        other=other,
        measures=measures,
        measure=measure,
        towns=evidence.towns,
        reference=reference,
        surveys=comparing.compare_surveys(earlier, evidence) if earlier else [],
        places=comparing.compare_towns(evidence, measure.id, reference.id)
        if measure and reference
        else [],
    )
