"""The expression language of quest documents."""

from questd.runtime.expressions.names import Names
from questd.runtime.expressions.template import (
    Template,
    compile_expression,
    compile_text,
    compile_value,
)

__all__ = ["Names", "Template", "compile_expression", "compile_text", "compile_value"]
