"""A resident's way: open the page, send the answers, keep the receipt."""

import hmac
import json
import secrets
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from flask import (
    Blueprint,
    Response,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.exc import InternalError, OperationalError
from sqlalchemy.orm import Session

from app import answer_forms as forms
from app import limits
from app.config import Keys, settings
from app.db import DatabaseBusy, reading, transaction
from app.errors import AnswerConflict, CardSpent, NotFound, TooMany
from app.headers import is_staff_side
from app.models import SubmissionState
from app.services import codes, collecting, seals
from app.services.collecting import Delivery, Invitation
from surveys import logic
from surveys.answers import InvalidAnswers, check
from surveys.languages import LANGUAGES
from surveys.questionnaire import Questionnaire

blueprint = Blueprint("respond", __name__)

# A full form of twelve questions is under 1 KB; nothing that a resident sends comes near this.
LARGEST_BODY = 64 * 1024
_COOKIE_DAYS = 90
_FORM = "respond/form.html"
# How many seconds the page of a card may wait to note that it was opened.
_PATIENCE = 0.5

# The empty form differs between phones only in its token and key. Rendering it took as long as
# everything else together, so it is kept, with places that no survey's text can contain.
_TOKEN_PLACE = secrets.token_hex(16)
_KEY_PLACE = secrets.token_hex(16)
_MOST_EMPTY_FORMS = 256
_empty_forms: dict[tuple[object, ...], str] = {}

Finder = Callable[[Session], Invitation]


@blueprint.before_request
def limit_body() -> None:
    """Refuse a large body before it is read."""
    request.max_content_length = LARGEST_BODY
    request.max_form_memory_size = LARGEST_BODY


@blueprint.app_context_processor
def way_of_reading() -> dict[str, object]:
    """Tell the pages in which size they are shown, and where another one is."""
    return {"large": request.args.get("size") == "l", "switched": _switched, "kept": _kept()}


@blueprint.url_defaults
def keep_way_of_reading(_endpoint: str, values: dict[str, Any]) -> None:
    """Carry size and language along in every address: these phones may refuse cookies."""
    if not is_staff_side():
        values.update(_kept())


@blueprint.after_request
def slow_wrong_codes(response: Response) -> Response:
    """Slow down whoever tries out codes; no connection or lock is held any more by now."""
    if response.status_code == 404:
        limits.slow_wrong_code()
    return response


@blueprint.get("/")
def start() -> ResponseReturnValue:
    """Ask for the number on the card, for phones that cannot scan."""
    typed = request.args.get("code")
    if typed is None:
        return render_template("respond/start.html", typed="", fault=None)
    code = codes.fold(typed)
    if codes.has_valid_check(code):
        return redirect(url_for("respond.card", code=code), 303)
    fault = _("请核对号码：应为 16 位数字。")
    return render_template("respond/start.html", typed=typed, fault=fault), 422


@blueprint.get("/s/<code>")
def card(code: str) -> ResponseReturnValue:
    """Show the form of an open card; to the phone that answered it, its own receipt."""
    try:
        with reading() as session:
            invitation = collecting.find_open_card(session, code, settings().keys, _now())
            page = _form_page(session, invitation)
    except CardSpent:
        receipt = _receipt_in_cookie(code)
        if receipt is None:
            raise
        return redirect(url_for("respond.receipt", receipt=receipt), 303)
    if request.method == "GET" and collecting.is_unopened(invitation):
        _note_opening(invitation)
    return page


def _note_opening(invitation: Invitation) -> None:
    # A busy, full or read-only database keeps nobody from reading the questions: what is not
    # noted now is noted at the next look.
    trouble = suppress(DatabaseBusy, OperationalError, InternalError)
    with trouble, transaction(_PATIENCE) as session:
        collecting.record_opening(session, invitation)


@blueprint.post("/s/<code>")
def answer(code: str) -> ResponseReturnValue:
    """Store the answers to a card once, and lead to the receipt."""

    def find(session: Session) -> Invitation:
        return collecting.find_card(session, code, settings().keys)

    return _take(find, code)


@blueprint.get("/p/<slug>")
def poster(slug: str) -> ResponseReturnValue:
    """Show the form of an open poster link."""
    with reading() as session:
        invitation = collecting.find_poster(session, slug)
        collecting.ensure_open(invitation, _now())
        return _form_page(session, invitation)


@blueprint.post("/p/<slug>")
def answer_poster(slug: str) -> ResponseReturnValue:
    """Store the answers to a poster once for each key, and lead to the receipt."""
    device = limits.find_device(slug)
    taken = _take(
        lambda session: collecting.find_poster(session, slug),
        admit=lambda: limits.admit_sending(slug, device),
    )
    response = make_response(taken)
    limits.set_device(response, slug, device)
    return response


@blueprint.get("/r/<receipt>")
def receipt(receipt: str) -> ResponseReturnValue:
    """Say whether the answers with this receipt are counted, never what they say."""
    receipt = codes.fold(receipt).upper()
    with reading() as session:
        state, key = collecting.find_receipt(session, receipt)
        proof = _proof(session, state, key)
    return render_template(
        "respond/receipt.html", receipt=receipt, state=state, key=key, proof=proof
    )


@blueprint.get("/r/<receipt>/proof.json")
def receipt_proof(receipt: str) -> ResponseReturnValue:
    """Hand out the proof that the answers with this receipt are in the last seal."""
    with reading() as session:
        proof = _proof(session, *collecting.find_receipt(session, codes.fold(receipt).upper()))
    if proof is None:
        raise NotFound
    return jsonify(proof.to_dict())


def _proof(session: Session, state: SubmissionState, key: uuid.UUID) -> seals.Inclusion | None:
    counts = state is SubmissionState.VALID
    return seals.prove(session, key, settings().keys, counts=counts)


def _take(
    find: Finder, code: str | None = None, admit: Callable[[], None] | None = None
) -> ResponseReturnValue:
    fields = request.form.to_dict(flat=False)
    keys = settings().keys
    try:
        with transaction() as session:
            invitation = find(session)
            questionnaire = collecting.load_questionnaire(session, invitation.questionnaire_digest)
            try:
                form = forms.read(keys.session, invitation, fields)
                sheet = check(questionnaire, fields)
                # What is stored already gets its receipt again, whatever the limit.
                if admit is not None and not collecting.is_stored(session, form.key):
                    admit()
            except (forms.ShowAgain, forms.BadForm, InvalidAnswers, TooMany) as reason:
                collecting.ensure_open(invitation, _now())
                return _form_again(invitation, questionnaire, fields, reason)
            delivery = Delivery(
                form.key,
                sheet,
                form.duration_seconds,
                notice_number=form.notice_number,
                assistance=form.assistance,
            )
            receipt = collecting.record_submission(session, invitation, delivery, keys, _now())
    except AnswerConflict as conflict:
        return _conflict_page(conflict, form.key)
    except CardSpent:
        stored = _receipt_in_cookie(code) if code is not None else None
        if stored is None:
            raise
        return _conflict_page(AnswerConflict(stored))
    # Only now, after the commit, is the resident told that the answers are kept.
    response = make_response(redirect(url_for("respond.receipt", receipt=receipt), 303))
    if code is not None:
        _set_receipt_cookie(response, code, receipt)
    return response


def _conflict_page(conflict: AnswerConflict, key: uuid.UUID | None = None) -> ResponseReturnValue:
    page = render_template("respond/conflict.html", conflict=conflict, key=key)
    return page, conflict.status


def _form_page(session: Session, invitation: Invitation) -> str:
    """Fill a fresh token and key into the empty form, which is rendered once for many phones."""
    shape = (
        invitation.questionnaire_digest,
        invitation.survey_title,
        *(getattr(invitation, name) for name in collecting.NOTICE_COLUMNS),
        urlencode(_kept()),
    )
    if shape not in _empty_forms:
        if len(_empty_forms) == _MOST_EMPTY_FORMS:
            _empty_forms.clear()
        questionnaire = collecting.load_questionnaire(session, invitation.questionnaire_digest)
        _empty_forms[shape] = forms.render(
            _FORM, invitation, questionnaire, _TOKEN_PLACE, _KEY_PLACE
        )
    token = forms.sign(settings().keys.session, invitation)
    page = _empty_forms[shape].replace(_TOKEN_PLACE, token, 1)
    return page.replace(_KEY_PLACE, str(uuid.uuid4()), 1)


def _form_again(
    invitation: Invitation, questionnaire: Questionnaire, fields: forms.Fields, reason: Exception
) -> ResponseReturnValue:
    """Show the filled form again with everything that is wrong, and nothing lost."""
    faults = reason.faults if isinstance(reason, InvalidAnswers) else ()
    stale = isinstance(reason, forms.BadForm)
    # A good token is kept, so that the time counts from the first look and not from the last.
    token = (
        forms.sign(settings().keys.session, invitation) if stale else fields[forms.TOKEN_FIELD][0]
    )
    refused = reason.sentence if isinstance(reason, TooMany) else None
    shown = forms.Shown(fields, faults, stale=stale, refused=refused)
    key = forms.key_or_new(fields)
    page = forms.render(_FORM, invitation, questionnaire, token, key, shown)
    if isinstance(reason, TooMany):
        return page, reason.status, {"Retry-After": str(reason.retry_seconds)}
    return page, 422 if faults else 400 if stale else 200


@blueprint.app_template_filter("logic")
def logic_tree(expression: str) -> str:
    """Return an expression as the page's script evaluates it."""
    return json.dumps(logic.to_json(logic.parse(expression)), separators=(",", ":"))


def _kept() -> dict[str, str]:
    """Return how this page is read, as far as it is not the usual way."""
    known = {"lang": LANGUAGES.keys(), "size": {"l"}}
    asked = {name: request.args.get(name, "") for name in known}
    return {name: value for name, value in asked.items() if value in known[name]}


def _switched(**changes: str | None) -> str:
    """Return this page's own address, read in another way."""
    typed = {"code": request.args.get("code")} if request.endpoint == "respond.start" else {}
    query = {**typed, **_kept(), **changes}
    return "?" + urlencode({name: value for name, value in query.items() if value is not None})


def _now() -> datetime:
    return datetime.now(UTC)


def _cookie_signature(keys: Keys, code: str, receipt: str) -> str:
    text = f"{codes.fold(code)}:{receipt}".encode()
    return hmac.digest(keys.session, text, "sha256").hex()[:32]


def _set_receipt_cookie(response: Response, code: str, receipt: str) -> None:
    # The server keeps no link from a card to its submission; only the phone itself can show
    # that it answered this card, by a cookie that is sent to this card's address alone.
    response.set_cookie(
        "receipt",
        f"{receipt}.{_cookie_signature(settings().keys, code, receipt)}",
        max_age=_COOKIE_DAYS * 24 * 60 * 60,
        path=url_for("respond.card", code=code).partition("?")[0],
        httponly=True,
        secure=settings().cookie_secure,
        samesite="Lax",
    )


def _receipt_in_cookie(code: str) -> str | None:
    receipt, _dot, signature = request.cookies.get("receipt", "").partition(".")
    expected = _cookie_signature(settings().keys, code, receipt)
    return receipt if hmac.compare_digest(signature.encode(), expected.encode()) else None
