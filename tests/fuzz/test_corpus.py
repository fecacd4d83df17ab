"""The bounded run: every input that was kept, and a few hundred changed ones that follow from their numbers."""

import pytest

from tests.fuzz.targets import CORPUS, NAMES, corpus, mutants, target

MUTANTS = {
    "exchange": 250,
    "control": 250,
    "documents": 1_000,
    "expressions": 4_000,
    "sql": 50,
    "rows": 3_000,
}


@pytest.mark.parametrize("name", NAMES)
def test_no_input_of_the_corpus_does_harm(name: str) -> None:
    found = corpus(target(name))
    assert len(found) > 10
    for label, data in found.items():
        try:
            target(name).one(data)
        except Exception as error:
            raise AssertionError(f"{name}/{label}: {error!r}") from error


@pytest.mark.parametrize("name", NAMES)
def test_no_changed_input_does_harm(name: str) -> None:
    """The same ones each time."""
    for number, data in mutants(target(name), 0, MUTANTS[name]):
        try:
            target(name).one(data)
        except Exception as error:
            again = f"python -m tests.fuzz --target {name} --number {number}"
            raise AssertionError(f"{error!r}\nagain: {again}") from error


def test_the_corpus_is_small() -> None:
    files = [path for path in CORPUS.rglob("*") if path.is_file()]
    assert len(files) < 300
    assert sum(path.stat().st_size for path in files) < 1_000_000
