"""`python -m analysis.scoring`: score a rubric, rank many objects by it, audit one, or list them.

Needs no web framework, no database and no installed package.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Never, TypeVar

from analysis.scoring import feed
from analysis.scoring.audit import audit, findings_document
from analysis.scoring.feed import FeedError
from analysis.scoring.ranking import RankingError, rank_feeds
from analysis.scoring.rubric import Rubric, RubricError, bundled, load, load_bundled
from analysis.scoring.score import ScoreError, score
from analysis.scoring.text import findings_text, ranking_text, rubrics_text, sheet_text
from analysis.scoring.uncertainty import sheet_dict

F = TypeVar("F")


class Parser(argparse.ArgumentParser):
    """A parser that refuses a command line in one Chinese line."""

    def error(self, message: str) -> Never:  # noqa: ARG002 - argparse's sentence is English
        """Print how to get help, and leave with status 2."""
        self.exit(2, f"命令写法不对，用 {self.prog} --help 查看用法\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status, 2 when a file or feed cannot be used."""
    chosen = _parser().parse_args(arguments)
    try:
        output: str = chosen.run(chosen)
    except (RubricError, FeedError, ScoreError, RankingError) as fault:
        print(fault, file=sys.stderr)
        return 2
    print(output)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="python -m analysis.scoring", description="共用评分模块")
    commands = parser.add_subparsers(required=True, metavar="命令")
    scoring = commands.add_parser("score", help="按指标体系和测量值计分")
    scoring.add_argument("rubric", metavar="RUBRIC", help="TOML 文件，或自带指标体系的名称")
    scoring.add_argument("feed", metavar="FEED.json", type=Path, help="测量值文件")
    scoring.set_defaults(run=_score)
    ranking = commands.add_parser("rank", help="给许多对象计分、排名")
    ranking.add_argument("rubric", metavar="RUBRIC", help="TOML 文件，或自带指标体系的名称")
    many = "测量值文件，一个文件里可以有许多对象；或放着这些文件的文件夹"
    ranking.add_argument("feeds", metavar="FEEDS", type=Path, nargs="+", help=many)
    ranking.set_defaults(run=_rank)
    auditing = commands.add_parser("audit", help="核对指标体系与印出的数字")
    named = "TOML 文件，或自带指标体系的名称；不写则核对全部自带的"
    auditing.add_argument("rubric", metavar="RUBRIC", nargs="?", help=named)
    auditing.set_defaults(run=_audit)
    for command in (scoring, ranking, auditing):
        command.add_argument("--json", action="store_true", help="输出 JSON")
    commands.add_parser("list", help="列出自带的指标体系").set_defaults(run=_list)
    return parser


def _score(chosen: argparse.Namespace) -> str:
    rubric = _rubric(chosen.rubric)
    sheet = score(rubric, _read(chosen.feed, feed.parse).measurements)
    return _json(sheet_dict(sheet)) if chosen.json else sheet_text(sheet)


def _rank(chosen: argparse.Namespace) -> str:
    paths = [file for path in chosen.feeds for file in _files(path)]
    feeds = [each for path in paths for each in _read(path, feed.parse_many)]
    ranking = rank_feeds(_rubric(chosen.rubric), feeds)
    return _json(ranking.to_dict()) if chosen.json else ranking_text(ranking)


def _files(path: Path) -> list[Path]:
    return sorted(path.glob("*.json")) if path.is_dir() else [path]


def _audit(chosen: argparse.Namespace) -> str:
    if chosen.rubric is not None:
        rubric = _rubric(chosen.rubric)
        return (
            _json(findings_document(rubric))
            if chosen.json
            else findings_text(rubric, audit(rubric))
        )
    rubrics = [load_bundled(rubric_id) for rubric_id in bundled()]
    if chosen.json:
        return _json({"rubrics": [findings_document(rubric) for rubric in rubrics]})
    return "\n\n\n".join(findings_text(rubric, audit(rubric)) for rubric in rubrics)


def _list(_chosen: argparse.Namespace) -> str:
    return rubrics_text([load_bundled(rubric_id) for rubric_id in bundled()])


def _rubric(name: str) -> Rubric:
    # A bundled id wins over a file of the same name: ids have no suffix, rubric files do.
    return load_bundled(name) if name in bundled() else load(Path(name))


def _read(path: Path, parse: Callable[[str], F]) -> F:
    try:
        return parse(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise FeedError(path.name, "找不到这个文件") from None
    except (OSError, UnicodeDecodeError):
        raise FeedError(path.name, "这个文件读不出来") from None
    except FeedError as fault:
        raise FeedError(f"{path.name}：{fault.path}", fault.reason) from None


def _json(content: object) -> str:
    return json.dumps(content, ensure_ascii=False, indent=2)


if __name__ == "__main__":
    sys.exit(main())
