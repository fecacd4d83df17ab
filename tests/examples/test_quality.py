from .diffs import changed_file, check, new_file, places


def rules(diff: str) -> set[str]:
    return {one.rule for one in check(diff).findings}


def test_a_new_file_is_judged_as_a_whole() -> None:
    found = places(check(new_file("a.py", "import os\n\n\ndef f():\n    return unknown\n")))
    assert ("a.py", 1, "ruff F401") in found
    assert ("a.py", 5, "ruff F821") in found


def test_what_a_hunk_cannot_show_is_not_guessed() -> None:
    before = "import os\n\n\ndef f():\n    x = 1\n    return os.name\n"
    after = "import os\nimport sys\n\n\ndef f():\n    x = helper()\n    return os.name\n"
    assert {
        rule for rule in rules(changed_file("a.py", before, after)) if rule.startswith("ruff")
    } == set()


def test_a_hunk_inside_a_function_is_judged_at_its_lines() -> None:
    before = "def f():\n" + "".join(f"    a{n} = {n}\n" for n in range(20))
    after = before.replace(
        "    a12 = 12\n", "    try:\n        g()\n    except:\n        raise ValueError\n"
    )
    assert ("a.py", 16, "ruff E722") in places(check(changed_file("a.py", before, after)))


def test_a_new_file_that_does_not_parse_is_a_serious_finding() -> None:
    report = check(new_file("a.py", "def f(:\n    pass\n"))
    broken = [one for one in report.findings if one.rule == "ruff invalid-syntax"]
    assert broken
    assert all(one.severity == "high" for one in broken)


def test_only_the_functions_that_changed_are_measured() -> None:
    branches = "".join(f"    if x == {n}:\n        return {n}\n" for n in range(14))
    old = f"def old(x):\n{branches}\n\ndef small(x):\n    return x\n"
    report = check(changed_file("a.py", old, old.replace("    return x\n", "    return x + 1\n")))
    assert "radon" not in {one.rule for one in report.findings}
    assert report.metrics["functions"] >= 1
    grown = check(new_file("a.py", f"def new(x):\n{branches}"))
    assert ("a.py", 1, "radon") in places(grown)
    assert grown.metrics["max_complexity"] == 15


def test_a_method_is_measured_once() -> None:
    body = "".join(f"        if x == {n}:\n            return {n}\n" for n in range(14))
    report = check(new_file("a.py", f"class A:\n    def f(self, x):\n{body}"))
    assert [one.line for one in report.findings if one.rule == "radon"] == [2]


def test_a_very_long_function_is_named() -> None:
    body = "".join(f"    call({n})\n" for n in range(80))
    assert ("a.py", 1, "long-function") in places(check(new_file("a.py", f"def f():\n{body}")))


def test_source_without_tests_is_remarked_and_with_tests_is_not() -> None:
    source = new_file("src/a.py", "x = 1\n")
    test = new_file("tests/test_a.py", "def test_a():\n    assert True\n")
    assert "untested" in rules(source)
    assert "untested" not in rules(source + test)
    assert "untested" not in rules(new_file("README.md", "hello\n"))


def test_deleted_tests_are_remarked_unless_as_many_came() -> None:
    gone = (
        "diff --git a/tests/test_a.py b/tests/test_a.py\ndeleted file mode 100644\n"
        "--- a/tests/test_a.py\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-def test_a():\n-    assert 1\n"
    )
    more = new_file("tests/test_b.py", "def test_a():\n    assert f()\n\n\nf = print\n")
    assert "tests-deleted" in rules(gone)
    assert "tests-deleted" not in rules(gone + more)


def test_unfinished_work_is_seen_in_any_language() -> None:
    assert ("a.go", 1, "todo") in places(check(new_file("a.go", "// TODO: later\n")))
    assert ("a.js", 1, "debug") in places(check(new_file("a.js", "console.log(x)\n")))
    assert ("a.txt", 2, "conflict") in places(check(new_file("a.txt", "a\n<<<<<<< HEAD\n")))


def test_a_very_large_change_is_remarked() -> None:
    assert "large-change" in rules(new_file("a.txt", "word\n" * 900))
