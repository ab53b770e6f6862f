"""What somebody typed is text on every page, also inside a sentence of ours."""

import pytest
from flask import Flask, render_template_string
from wtforms import Form, StringField

from app.errors import InvalidInput, say
from app.forms import show_faults

SCRIPT = "<script>alert(1)</script>"


class Named(Form):  # type: ignore[misc]
    name = StringField("名称")


@pytest.mark.parametrize(
    "template",
    [
        "{{ sentence }}",
        "{{ sentence ~ '。' }}",
        "{{ [sentence, sentence]|join('、') }}",
        "{{ sentence|e }}",
        '<p title="{{ sentence }}"></p>',
        "{{ _('另有 %(count)s 处。', count=sentence) }}",
    ],
)
def test_words_in_a_sentence_are_never_script(template: str, app: Flask) -> None:
    sentence = say("没有“%(name)s”。", name=SCRIPT)
    with app.test_request_context():
        page = render_template_string(template, sentence=sentence)
    assert "<script" not in page
    assert "&lt;script" in page


def test_words_in_a_fault_beside_a_field_are_never_script(app: Flask) -> None:
    form = Named()
    show_faults(form, InvalidInput({"name": say("没有“%(name)s”。", name=SCRIPT)}))
    template = "{% from 'bootstrap5/form.html' import render_field %}{{ render_field(form.name) }}"
    with app.test_request_context():
        page = render_template_string(template, form=form)
    assert "没有“&lt;script&gt;" in page
