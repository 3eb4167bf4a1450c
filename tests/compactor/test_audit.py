"""An audit beside a real compactor: it passes at every step, and sees what the compactor's outputs lack."""

from pathlib import Path

from bucket.audit import audit
from bucket.audit_report import Discrepancy
from bucket.layout import block_key
from tests.compactor.world import HOUR, WINDOW, World


def found(world: World) -> list[Discrepancy]:
    """The manifests of this world have blocks, but no ledgers."""
    report = audit(world.bucket, now_ms=world.clock.now_ms(), deep=True)
    return [one for one in report.discrepancies if one.code != "ledger-stored"]


def test_compaction_late_data_and_removal_keep_the_audit_green(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.publish(0, 0, {"up": {WINDOW + 1: 1, WINDOW + 2: 2}})
    world.publish(0, 10, {"up": {WINDOW + 2: 2, WINDOW + 3: 3}})
    world.publish(1, 0, {"down": {WINDOW + 1: 7}, "up": {WINDOW + 3: 9}})
    assert found(world) == []
    world.close_window()
    world.compactor().run_once()
    assert found(world) == []
    world.publish(0, 20, {"up": {WINDOW + 4: 4}})
    assert found(world) == []
    world.compactor().run_once()
    assert found(world) == []
    before = world.read()
    for _ in range(2):
        world.clock.advance(49 * HOUR)
        world.compactor().run_once()
        assert found(world) == []
    (output,) = world.ulids()
    assert world.read() == before
    key = block_key(output, "chunks/000001")
    data = bytearray(world.bucket.get(key))
    data[-1] ^= 1
    world.bucket.put(key, bytes(data))
    assert [(one.code, one.where) for one in found(world)] == [("file-hash", key)]
    world.bucket.delete(block_key(output, "meta.json"))
    assert [one.code for one in found(world)] == ["block-missing"] * 4
