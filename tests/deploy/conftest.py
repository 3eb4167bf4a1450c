"""What docker-compose.yml and the Kubernetes manifests are held against: real roles, and what they answer."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.forebay.server import Role


@pytest.fixture(scope="session")
def answer_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, str], int]]:
    """Asks a running role for a path; the status."""
    directory = tmp_path_factory.mktemp("roles")
    with ExitStack() as stack:
        roles = {}
        for name in ("gateway", "consumer", "compactor"):
            roles[name] = stack.enter_context(Role(name, directory))
            roles[name].ready()
        yield lambda role, path: roles[role].get(path)[0]
