"""The metrics registry of one process: nothing global, the process' own figures, and what was built."""

import platform

from prometheus_client import CollectorRegistry, GCCollector, Info, PlatformCollector, ProcessCollector

from forebay.version import VERSION


def make_registry(role: str) -> CollectorRegistry:
    """A new one; `role` is a label of forebay_build_info."""
    registry = CollectorRegistry(auto_describe=True)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    build = Info("forebay_build", "What runs: version, role, Python.", registry=registry)
    build.info({"version": VERSION, "role": role, "python": platform.python_version()})
    return registry
