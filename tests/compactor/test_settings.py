import msgspec
import pytest

from compactor.settings import CompactorSettings


def test_defaults_stand() -> None:
    assert msgspec.json.decode(b"{}", type=CompactorSettings) == CompactorSettings()


@pytest.mark.parametrize(
    "changed",
    [
        {"interval": 0},
        {"close_delay": -1},
        {"delete_delay": -1},
        {"orphan_delay": -1},
        {"segment_bytes": 0},
        {"rollup_interval": 0},
        {"retry_max": 1},
    ],
)
def test_what_makes_no_sense_is_refused(changed: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(changed))):
        CompactorSettings(**changed)  # type: ignore[arg-type]
