"""``python -m fastmlp`` is the command ``fastmlp``."""

import sys

from fastmlp.cli import main

sys.exit(main())
