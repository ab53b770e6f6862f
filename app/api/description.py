"""What machines can ask for, as OpenAPI: for everybody, since it holds no answer."""

from pathlib import Path

from flask import Blueprint, Response

blueprint = Blueprint("api_description", __name__, url_prefix="/api/v1")

_DOCUMENT = Path(__file__).with_name("openapi.json").read_text(encoding="utf-8")


@blueprint.get("/openapi.json")
def openapi() -> Response:
    """Describe the API."""
    return Response(_DOCUMENT, mimetype="application/json")
