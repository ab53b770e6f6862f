"""Languages in which a questionnaire can be read, each named in itself."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Language:
    """A language as a page names it: BCP 47 tag, own name, direction (`ltr` or `rtl`)."""

    tag: str
    name: str
    direction: str = "ltr"


LANGUAGES = {
    language.tag: language
    for language in (
        Language("zh-Hans", "中文"),
        Language("zh-Hant", "繁體中文"),
        Language("en", "English"),
        Language("ar", "العربية", "rtl"),
        Language("bo", "བོད་སྐད།"),
        Language("ii", "ꆈꌠꉙ"),
        Language("kk-Arab", "قازاقشا", "rtl"),
        Language("ko", "조선말"),
        Language("mn", "Монгол"),
        Language("ug", "ئۇيغۇرچە", "rtl"),
        Language("za", "Vahcuengh"),
    )
}
