"""Tenants are remembered within a bound."""

from gateway.tenant_state import TenantStates


def test_the_quietest_is_forgotten_first() -> None:
    states = TenantStates(2)
    first, second = states.of("a"), states.of("b")
    assert states.of("a") is first
    states.of("c")
    assert len(states) == 2
    assert states.of("a") is first
    assert states.of("b") is not second
