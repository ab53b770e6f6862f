"""What the forms of all audiences share."""

import unicodedata

from flask import request
from flask_babel import gettext as _
from wtforms import Field, Form, ValidationError

from app.errors import InvalidInput


def show_faults(form: Form, refusal: InvalidInput) -> None:
    """Put what a service refused beside the fields of the form that asked for it."""
    for name, sentence in refusal.faults.items():
        form[name].errors = [*form[name].errors, sentence]


def plain_text(_form: Form, field: Field) -> None:
    """Refuse control characters, which no keyboard types and no database keeps alike.

    Raises `ValidationError`; line breaks and tabs are text.
    """
    text = field.data or ""
    if any(unicodedata.category(sign) == "Cc" and sign not in "\r\n\t" for sign in text):
        raise ValidationError(_("含有不能保存的控制字符，请删去。"))


def typed_field(name: str) -> str:
    """Return one line that was typed into a field that has no form class, without blanks around."""
    return " ".join(request.form.get(name, "").replace("\0", "").split())[:1000]
