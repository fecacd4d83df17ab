"""``python -m questd`` is ``quest``."""

import sys

from questd.cli import main

sys.exit(main())
