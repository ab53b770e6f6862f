"""The bundled questionnaires, each naming the document it was taken from."""

from functools import cache
from pathlib import Path

from surveys.contradictions import Fault
from surveys.questionnaire import Questionnaire
from surveys.reading import QuestionnaireError, load

FOLDER = Path(__file__).parent / "library"


@cache
def bundled() -> dict[str, Questionnaire]:
    """Return every bundled questionnaire by id, in order of file name.

    Raises `QuestionnaireError`: a file that contradicts itself stops the start of the product.
    """
    found: dict[str, Questionnaire] = {}
    for path in sorted(FOLDER.glob("*.toml")):
        questionnaire = load(path)
        if questionnaire.id != path.stem:
            raise QuestionnaireError(path.name, [Fault("id", f"须与文件名“{path.stem}”相同")])
        found[questionnaire.id] = questionnaire
    return found
