"""`.ci/audit` fails for a known fault and for nothing else that an outage could cause."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def audited(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run the audit with this in the place of pip-audit."""
    command = folder / "pip-audit"
    command.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    command.chmod(0o700)
    arguments = [sys.executable, ".ci/audit", str(command), "requirements.txt"]
    return subprocess.run(  # noqa: S603 - our own script
        arguments, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def found(*packages: dict[str, object]) -> str:
    return f"cat <<'JSON'\n{json.dumps({'dependencies': packages})}\nJSON"


def package(**more: object) -> dict[str, object]:
    return {"name": "one", "version": "1.0", **more}


def test_a_known_fault_fails_and_is_named(tmp_path: Path) -> None:
    fault = {"id": "PYSEC-1", "fix_versions": ["1.1"]}
    done = audited(tmp_path, f"{found(package(vulns=[fault]))}\nexit 1")
    assert done.returncode == 1
    assert "one 1.0: PYSEC-1, mended in 1.1" in done.stdout


def test_what_is_clean_passes_and_what_is_unknown_is_said(tmp_path: Path) -> None:
    done = audited(tmp_path, found(package(vulns=[]), package(skip_reason="not found")))
    assert done.returncode == 0
    assert "1 of 2 packages looked up, 0 known faults" in done.stdout


@pytest.mark.parametrize(
    "error",
    [
        "requests.exceptions.ProxyError: HTTPSConnectionPool(host='pypi.org')",
        "ConnectionError: Max retries exceeded",
        "ServiceError: timed out",
    ],
)
def test_without_a_network_it_says_so_and_passes(error: str, tmp_path: Path) -> None:
    done = audited(tmp_path, f'echo "{error}" >&2\nexit 1')
    assert done.returncode == 0
    assert "NOT looked up" in done.stdout


def test_an_audit_that_cannot_run_fails_with_its_reason(tmp_path: Path) -> None:
    done = audited(tmp_path, 'echo "no such option: --format" >&2\nexit 2')
    assert done.returncode == 1
    assert "no such option" in done.stderr
