"""`python -m forebay`."""

import sys

from forebay.main import main

sys.exit(main())
