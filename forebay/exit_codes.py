"""How the process ends, for whoever started it."""

OK = 0
FAILED = 1
"""At run time; or an audit that found a discrepancy."""
USAGE = 2
"""Flags or settings."""
START_FAILED = 3
"""The settings are right, what they name is not there: address, log, bucket."""
