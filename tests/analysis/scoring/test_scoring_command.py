"""The command line, run by a Python without any installed package."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from analysis.scoring.audit import FindingKind
from analysis.scoring.rubric import bundled, load_bundled
from analysis.scoring.text import KINDS
from tests.analysis.scoring.test_scoring_audit import CLEAN

ROOT = Path(__file__).parents[3]
FEED = {
    "format": "minping.feed/1",
    "survey": {"id": "1", "title": "满意度调查", "questionnaire": "beian/1"},
    "measurements": [
        {
            "indicator": "C31",
            "kind": "rate",
            "numerator": 82,
            "base": 103,
            "value": "82/103",
            "definition": "知道的人数占比",
            "interval": {"low": "0.7", "high": "0.86", "method": "wilson", "confidence": "0.95"},
        }
    ],
}


# -I takes no environment and no working folder, -S no site-packages: what runs here needs the
# standard library and our own files only.
BARE = [sys.executable, "-I", "-S", "-X", "utf8", "-c"]
MODULE = (
    "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); "
    "runpy.run_module('analysis.scoring', run_name='__main__', alter_sys=True)"
)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*BARE, MODULE, str(ROOT), *arguments]
    return subprocess.run(  # noqa: S603 - our own interpreter and arguments
        command, capture_output=True, encoding="utf-8", check=False, timeout=60
    )


@pytest.fixture(scope="module")
def feed_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("feed") / "feed.json"
    path.write_text(json.dumps(FEED), encoding="utf-8")
    return path


def test_the_interpreter_has_no_installed_packages() -> None:
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [*BARE, "import pandas"], capture_output=True, check=False
    )
    assert b"ModuleNotFoundError" in done.stderr


def test_nothing_but_the_standard_library_is_loaded() -> None:
    told = (
        "import sys; sys.path.insert(0, sys.argv[1]); import analysis.scoring.__main__; "
        "print(*{name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names)"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [*BARE, told, str(ROOT)], capture_output=True, encoding="utf-8", check=True
    )
    assert set(done.stdout.split()) <= {"analysis", "__main__"}


def test_list_names_every_bundled_rubric() -> None:
    done = run("list")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert tuple(line.split()[0] for line in lines) == bundled()
    assert all("收录完整" in line for line in lines)
    assert "22 个指标，收录完整，其中 6 个在文件里遗失" in done.stdout


def test_score_prints_points_working_sums_and_grade(feed_path: Path) -> None:
    done = run("score", "beian-2020-public-health", str(feed_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert "4.68 / 5 分" in done.stdout
    assert "得分 = 79.61% ÷ 85% × 5 = 4.68 分" in done.stdout
    assert "计入抽样误差：4.11–5.00 分" in done.stdout
    assert "等级待定（可能是：优秀、良好、合格、不合格）" in done.stdout
    assert "文件印的总分是 90.31 分，等级“优秀”" in done.stdout


def test_score_prints_json(feed_path: Path) -> None:
    done = run("score", "beian-2020-public-health", str(feed_path), "--json")
    sheet = json.loads(done.stdout)
    assert sheet["total"]["certain"] == "4.68"
    assert sheet["total"]["possible"] == "99.68"


def test_score_says_what_the_sample_leaves_open(feed_path: Path) -> None:
    shown = run("score", "beian-2020-public-health", str(feed_path)).stdout
    (found,) = json.loads(
        run("score", "beian-2020-public-health", str(feed_path), "--json").stdout
    )["uncertainty"]["indicators"]
    assert found["shifts"][0] == {
        "people": -1,
        "numerator": 81,
        "base": 103,
        "points": "4.62",
        "grades": [],
    }
    assert [sentence for sentence in found["text"] if sentence not in shown] == []
    assert "再多 1 人不知晓（81/103），得分变为 4.62 分" in found["text"]
    assert "等级能否确定：还有指标缺测量，等级未定，先补齐测量" in shown


def test_a_rubric_may_be_a_file(tmp_path: Path) -> None:
    rubric = ROOT / "analysis/scoring/rubrics/public-health-2021.toml"
    measurement = FEED["measurements"][0] | {"indicator": "satisfaction"}  # type: ignore[index]
    path = tmp_path / "feed.json"
    path.write_text(json.dumps(FEED | {"measurements": [measurement]}), encoding="utf-8")
    done = run("score", str(rubric), str(path))
    assert done.returncode == 0
    assert "文件印的总分是 86 分" in done.stdout


def test_a_partial_rubric_says_that_it_has_no_total(tmp_path: Path, feed_path: Path) -> None:
    whole = (ROOT / "analysis/scoring/rubrics/beian-2020-public-health.toml").read_text("utf-8")
    path = tmp_path / "partial.toml"
    path.write_text(whole.replace('scope = "complete"', 'scope = "partial"'), encoding="utf-8")
    assert "不计总分，不定等级" in run("score", str(path), str(feed_path)).stdout


@pytest.mark.parametrize(
    ("satisfied", "told"),
    [
        (
            51,
            [
                "另一读法（不足一步不扣）：得分相同，4.00 分",
                "另一读法（不足一步按一步扣）：得分相同，4.00 分",
            ],
        ),
        (52, ["（不足一步不扣），扣 0.60 分", "（不足一步按一步扣），扣 0.80 分"]),
    ],
)
def test_other_readings_are_told_one_by_one(
    tmp_path: Path, satisfied: int, told: list[str]
) -> None:
    measured = FEED["measurements"][0] | {  # type: ignore[index]
        "indicator": "satisfaction",
        "numerator": satisfied,
        "base": 60,
        "value": f"{satisfied}/60",
    }
    path = tmp_path / "feed.json"
    path.write_text(json.dumps(FEED | {"measurements": [measured]}), encoding="utf-8")
    shown = run("score", "public-health-2021", str(path)).stdout
    assert [each for each in told if each not in shown] == []


def test_audit_prints_findings() -> None:
    done = run("audit", "beian-2020-public-health")
    assert done.returncode == 0
    assert "标准与分值不符  分值印的是 3 分，评分标准最多只给 2 分" in done.stdout
    assert "影响：本处 -1 分，总分 89.31 分，等级仍是“优秀”" in done.stdout


def test_audit_says_when_there_are_none(tmp_path: Path) -> None:
    path = tmp_path / "clean.toml"
    path.write_text(CLEAN, encoding="utf-8")
    assert "没有发现矛盾" in run("audit", str(path)).stdout


def test_audit_prints_json() -> None:
    found = json.loads(run("audit", "huoqiu-2020-ankang-code", "--json").stdout)
    assert [(each["kind"], each["indicator"]) for each in found["findings"]] == [
        ("parts_against_weight", "2"),
        ("not_computable", "8"),
        *[("sum_of_weights", "")] * 3,
    ]


def test_audit_without_a_name_goes_through_every_bundled_document() -> None:
    done = run("audit")
    assert (done.returncode, done.stderr) == (0, "")
    assert all(load_bundled(rubric_id).title in done.stdout for rubric_id in bundled())
    found = json.loads(run("audit", "--json").stdout)
    assert tuple(each["rubric"] for each in found["rubrics"]) == bundled()
    assert all(each["findings"] for each in found["rubrics"])


def test_every_kind_of_finding_has_a_name() -> None:
    assert set(KINDS) == set(FindingKind)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("audit", "none.toml"), "none.toml：找不到这个文件"),
        (("audit", "bad.toml"), "bad.toml：不是合法的 TOML，第 1 行第 3 列"),
        (("audit", "empty.toml"), "empty.toml：rounding：缺少这一项"),
        (("audit", "."), "这个文件读不出来"),
        (("score", "public-health-2021", "none.json"), "none.json：找不到这个文件"),
        (
            ("score", "public-health-2021", "bad.toml"),
            "bad.toml：$：不是合法的 JSON，第 1 行第 1 列",
        ),
        (("score", "public-health-2021", "."), "这个文件读不出来"),
        (
            ("score", "public-health-2021"),
            "命令写法不对，用 python -m analysis.scoring score --help",
        ),
        ((), "命令写法不对"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_status_2(
    tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    (tmp_path / "bad.toml").write_text("a b = 1", encoding="utf-8")
    (tmp_path / "empty.toml").write_text("", encoding="utf-8")
    is_path = {".", "none.toml", "bad.toml", "empty.toml", "none.json"}
    done = run(*(str(tmp_path / each) if each in is_path else each for each in arguments))
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_feed_for_another_rubric_is_refused(feed_path: Path) -> None:
    done = run("score", "public-health-2021", str(feed_path))
    assert done.returncode == 2
    assert done.stderr == "指标 C31：“2021年度基本公共卫生服务项目绩效评价”里没有这个指标\n"
