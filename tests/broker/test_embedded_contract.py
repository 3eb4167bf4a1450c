"""The embedded log keeps the contract of the log."""

from tests.broker.contract import LogContract
from tests.broker.group_contract import GroupViewContract


class TestEmbedded(LogContract):
    pass


class TestEmbeddedGroupView(GroupViewContract):
    pass
