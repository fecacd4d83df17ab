"""The version, without loading what it is the version of."""

from typing import Final

VERSION: Final = "0.1.0"
