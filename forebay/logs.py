"""Logs on stderr: logfmt for people, JSON for machines, the same keys in both."""

import logging
import sys
from typing import Literal, TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

LogFormat = Literal["logfmt", "json"]
LEVELS = ("debug", "info", "warning", "error")
_FIRST_KEYS = ["ts", "level", "msg", "component", "process"]


def configure_logs(level: str, form: LogFormat, stream: TextIO | None = None, *, process: int | None = None) -> None:
    """Once per process, before the first logger is used; libraries' own logging comes out the same way.

    `process` is which of several behind one port it is.
    """
    stream = stream or sys.stderr

    def number(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return event if process is None else {"process": process, **event}

    shared: list[Processor] = [
        number,
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        structlog.processors.format_exc_info,
        structlog.processors.EventRenamer("msg"),
    ]
    renderer: Processor
    if form == "json":
        renderer = structlog.processors.JSONRenderer(sort_keys=False)
    else:
        renderer = structlog.processors.LogfmtRenderer(key_order=_FIRST_KEYS, drop_missing=True, bool_as_flag=False)
    threshold = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*shared, _plain, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_component_of_library, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _plain, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(threshold, logging.WARNING))


def get_logger(component: str) -> FilteringBoundLogger:
    """A logger whose lines name the component."""
    logger: FilteringBoundLogger = structlog.get_logger(component=component)
    return logger


def _component_of_library(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    event["component"] = event["_record"].name
    return event


def _plain(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Values that neither form can write as they stand are written as text."""
    return {
        key: value if value is None or isinstance(value, str | int | float | bool) else str(value)
        for key, value in event.items()
    }
