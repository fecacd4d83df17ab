import pytest

from examples.code_review.review.credentials import find_secrets, masked

from .diffs import at, audit, changed_file, new_file, places

RANDOM = "Zx8Qw2Lr" + "0vTn5YbGm4Kc7HdJ"


def test_a_weakness_in_the_middle_of_a_function_is_found_at_its_line() -> None:
    before = "def f(name):\n" + "".join(f"    a{n} = {n}\n" for n in range(20)) + "    return a1\n"
    after = before.replace("    a15 = 15\n", "    a15 = 15\n    os.system('ls ' + name)\n")
    report = audit(changed_file("a.py", before, after))
    assert ("a.py", 18, "bandit B605") in places(report)


def test_an_old_weakness_beside_the_change_is_not_blamed() -> None:
    before = "import os\nx = 1\nos.system('ls ' + name)\n"
    report = audit(changed_file("a.py", before, before.replace("x = 1", "x = 2")))
    assert report.findings == []


def test_a_call_is_blamed_when_only_one_of_its_lines_is_new() -> None:
    before = "import subprocess\nsubprocess.run(\n    command,\n    check=True,\n)\n"
    after = before.replace("    check=True,\n", "    check=True,\n    shell=True,\n")
    [finding] = audit(changed_file("a.py", before, after)).findings
    assert (finding.line, finding.rule, finding.severity) == (5, "bandit B602", "high")


def test_an_import_in_another_hunk_is_known() -> None:
    filler = "".join(f"a{n} = {n}\n" for n in range(30))
    before = f"import os\n{filler}"
    after = f"import os\nimport subprocess as sp\n{filler}sp.call(name, shell=True)\n"
    assert ("a.py", 33, "bandit B602") in places(audit(changed_file("a.py", before, after)))


def test_asking_the_checker_to_look_away_does_not_help() -> None:
    text = "import subprocess\nsubprocess.call(name, shell=True)  # nosec\n"
    assert ("a.py", 2, "bandit B602") in places(audit(new_file("a.py", text)))


def test_what_does_not_parse_is_covered_by_patterns() -> None:
    text = "this is not Python at all\nsubprocess.run(cmd, shell=True\n"
    [finding] = at(audit(new_file("a.py", text)), "a.py", 2)
    assert (finding.rule, finding.severity) == ("shell-true", "high")


def test_assertions_are_for_tests() -> None:
    assert audit(new_file("tests/test_a.py", "def test_a():\n    assert 1 == 1\n")).findings == []
    assert len(audit(new_file("a.py", "def a():\n    assert 1 == 1\n")).findings) == 1


@pytest.mark.parametrize(
    ("path", "line", "rule"),
    [
        ("a.js", "const x = eval(input);", "script-eval"),
        ("a.ts", "el.innerHTML = name;", "script-html"),
        ("a.js", "db.query(`select * from users where id = ${id}`)", "sql-built"),
        ("a.go", 'db.Query("select * from users where id = " + id)', "sql-built"),
        ("install.sh", "curl -sL https://example.com/x | sudo bash", "pipe-to-shell"),
        ("Dockerfile", "FROM python:latest", "docker-latest"),
        ("ci.yaml", "  pull_request_target:", "privileged"),
        ("a.go", "cfg := tls.Config{InsecureSkipVerify: true}", "tls-unverified"),
    ],
)
def test_other_languages_are_covered_by_patterns(path: str, line: str, rule: str) -> None:
    assert (path, 1, rule) in places(audit(new_file(path, f"{line}\n")))


@pytest.mark.parametrize(
    ("line", "language"),
    [
        (f'password = "{RANDOM}"', "python"),
        (f"  apiKey: '{RANDOM}',", "javascript"),
        (f'"client_secret": "{RANDOM}"', "json"),
        (f"DB_PASSWORD={RANDOM}", "env"),
        (f"  token: {RANDOM}", "yaml"),
        ("key = 'AKIA" + "ABCDEFGHIJKLMNOP'", "python"),
        ("x = 'ghp_" + "a1B2" * 9 + "'", "go"),
        ("-----BEGIN RSA PRIVATE " + "KEY-----", "other"),
        (f"postgres://app:{RANDOM}@db.example.com/app", "yaml"),
        ("os.environ['SECRET_KEY'] = 'not-so-random-words'", "python"),
    ],
)
def test_a_secret_is_found_and_hidden(line: str, language: str) -> None:
    assert find_secrets(line, language)
    hidden = masked(line, language)
    assert "********" in hidden
    assert RANDOM not in hidden


@pytest.mark.parametrize(
    ("line", "language"),
    [
        ("password = os.environ['PASSWORD']", "python"),
        ('password = ""', "python"),
        ('password = "<your password>"', "python"),
        ('token = "${TOKEN}"', "shell"),
        ("token: ${{ secrets.TOKEN }}", "yaml"),
        ('api_key = "your-key-here"', "python"),
        ('label = "Please type your password twice"', "python"),
        ("tokens = tokenize(text)", "python"),
        ('"integrity": "sha512-' + RANDOM * 3 + '"', "json"),
        ("password: str", "python"),
        ("redis://localhost:6379/0", "yaml"),
    ],
)
def test_what_only_looks_like_a_secret_is_left_alone(line: str, language: str) -> None:
    assert find_secrets(line, language) == ()


def test_a_secret_is_hidden_in_every_finding_about_its_line() -> None:
    text = (
        f'import requests\nrequests.get(url, verify=False, auth=("me", "x"), password="{RANDOM}")\n'
    )
    report = audit(new_file("a.py", text))
    assert len(report.findings) >= 2
    assert RANDOM not in repr(report)
