"""The expression language of quest documents: MiniJinja's expressions, checked before they run and bounded while they do.

A document's text becomes a ``Template`` when the document is checked: ``compile_text`` for prompts, ``compile_value`` for nested
values, ``compile_expression`` for conditions. It says what it names, and renders any number of times from any thread.

The way of a text: ``segments`` cuts out its ``{{ }}``; ``tokens`` reads them; ``parse`` (with ``references`` for names and ``calls`` for
filters and tests) makes a small tree (``syntax``) of at most the size in ``bounds``; ``program`` writes that tree as a MiniJinja
expression of our own words and runs it; ``operations``, ``filters`` and ``value_tests`` do what touches data; ``parts`` and
``template`` put results together.

Invariants:
- What can be known to fail fails when it is compiled: names, attributes of steps, filters, arguments, grammar, bounds,
  and whatever names nothing (``1 / 0``). Every failure is a ``BadExpression``; none shows a value.
- No document and no value aborts, hangs or fills the process. Work is counted in bytes, not seconds, so a rendering ends
  alike on every machine and at every replay.
- A value is put in once and never read as a template. A lone reference gives the value itself.

The language, where it differs from MiniJinja:
- Names: a step key (the longest whole match: ``a-b`` is a key, ``a - b`` subtracts), an input, a reserved word.
- Only expressions; ``range`` is the only function; nothing is called. No chained comparisons. An object's keys are quoted.
- What is missing is an error, except under ``is defined`` and ``default``, which forgive any part of the path.
- Numbers order with numbers and texts with texts; ``*`` multiplies numbers only; ``null`` is ``none``; tuples are lists.
- Whatever is not text prints as compact JSON. A number calculated by ``- / // % **`` that is whole is an integer.
- ``if`` without ``else`` is for text only, where it prints nothing.

Filters: abs attr batch bool capitalize count d default dictsort first float indent int items join keys last length lines
list lower map max min reject rejectattr replace reverse round select selectattr sort split string sum title tojson trim
truncate unique upper values.

Tests: boolean containing defined divisibleby endingwith eq equalto even false float ge gt in integer iterable le lower lt
mapping ne none number odd sequence startingwith string true undefined upper.

Functions: range.

It knows nothing of quests, dependencies or agents: which steps may be named is the caller's rule.
"""

from questd.runtime.expressions.names import Names
from questd.runtime.expressions.template import (
    Template,
    compile_expression,
    compile_text,
    compile_value,
)

__all__ = ["Names", "Template", "compile_expression", "compile_text", "compile_value"]
