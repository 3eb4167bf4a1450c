"""The embedded log keeps the contract of the log."""

from tests.broker.contract import LogContract


class TestEmbedded(LogContract):
    pass
