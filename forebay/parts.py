"""Parts that several roles are made of: each opens or starts one, and pushes what ends it onto the stack."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from aiohttp import web

from broker.log import LogReader, LogWriter
from broker.open import open_reader, open_subscription, open_usage, open_writer
from broker.usage_log import UsageLog
from bucket.bucket import Bucket, BucketMisconfigured
from bucket.manifest import HaRecipe, Recipe
from bucket.open import open_bucket
from bucket.settings import BucketSettings
from bucket.workspace import Workspace
from compactor.compactor import Compactor
from consumers.recipe import make_recipe
from consumers.worker import Consumer
from forebay.bucket_probe import BucketProbe
from forebay.component import Component
from forebay.flags import LISTEN
from forebay.overrides_apart import load_apart
from forebay.overrides_file import load_overrides
from forebay.page import Page
from forebay.process import Process
from forebay.settings import Settings
from forebay.status import Status
from forebay.web import DRAIN, WebServer
from forebay.web_access import WebAccess
from gateway.app import add_gateway
from gateway.label_tables import LabelTables
from gateway.policy import Policies
from gateway.tenant import TenantReader
from query.blocks import BucketBlocks
from query.heads import Heads
from query.metrics import QueryMetrics
from query.remote_read import RemoteRead
from query.selector import Selector

LOG = "log"
BUCKET = "bucket"
STAGING = "staging"
RETIRE_SECONDS = 6.0
"""Above the 5 s within which a Prometheus that has anything to send does."""


def log_directory(process: Process) -> Path:
    """Where the embedded log lies."""
    return process.data_dir / LOG


def bucket_settings(settings: Settings, data_dir: Path) -> BucketSettings:
    """The configured bucket, or the one under the data directory."""
    return settings.bucket or BucketSettings(config={"directory": str(data_dir / BUCKET)})


def open_existing_bucket(settings: Settings, data_dir: Path) -> Bucket:
    """For operators' commands: a directory that is not there is none that is empty. Raises BucketMisconfigured."""
    chosen = bucket_settings(settings, data_dir)
    if chosen.kind == "FILESYSTEM" and not Path(directory := chosen.filesystem().directory).is_dir():
        raise BucketMisconfigured(
            f"there is no bucket directory={directory}", hint="see --data.dir, and bucket in --config.file"
        )
    return open_bucket(chosen)


def settings_recipe(settings: Settings) -> Recipe:
    """That of consumers with these settings."""
    ha = HaRecipe(int(settings.ha.failover_timeout), settings.ha.max_clusters) if settings.has_ha else None
    return make_recipe(
        settings.segment,
        settings.bounds,
        settings.external_labels,
        settings.tenancy.label,
        ha,
        label_window=int(settings.broker.label_window),
    )


def open_log_reader(process: Process) -> LogReader:
    """For the status. Blocks. Raises LogUnavailable where there is no log yet."""
    return open_reader(process.settings.broker, log_directory(process))


async def start_bucket(process: Process, parts: AsyncExitStack) -> Bucket:
    """Opened and asked whether it can be written; unready while it does not answer."""
    settings = bucket_settings(process.settings, process.data_dir)
    bucket = open_bucket(settings)
    parts.callback(bucket.close)
    probe = BucketProbe(bucket, process)
    parts.push_async_callback(probe.stop)
    await probe.start()
    return bucket


async def open_log(process: Process) -> LogWriter:
    """The writer's end, which the caller closes; unready while it takes no records."""
    log = await asyncio.to_thread(open_writer, process.settings.broker, log_directory(process), process.clock)
    process.readiness.require("log", lambda: log.problem)
    return log


def add_intake(process: Process, app: web.Application, log: LogWriter) -> None:
    """Remote-write into this log; an error that the log cannot go on after ends the process."""
    settings = process.settings
    add_gateway(
        app,
        log,
        settings=settings.gateway,
        policies=_policies(process, log.partitions),
        tenancy=settings.tenancy,
        otlp=settings.otlp,
        clock=process.clock,
        registry=process.registry,
        logger=process.logger("gateway"),
        stop=process.fail,
        siblings=process.siblings,
        open_usage=_usage_opener(process),
        labels=_labels(process),
    )


def _labels(process: Process) -> LabelTables | None:
    """What is known of labels in the log, where records leave them out."""
    settings = process.settings
    if settings.broker.record_version == 1:
        return None
    window_ms = int(settings.broker.label_window)
    return LabelTables(process.clock, memory=settings.gateway.label_memory, window_ms=window_ms)


def _usage_opener(process: Process) -> Callable[[], UsageLog] | None:
    """Where gateways of the same log hold limits together; None where there is but one."""
    settings = process.settings
    if settings.broker.type != "kafka" or not settings.gateway.share_limits:
        return None
    back_ms = 2 * settings.gateway.active_series_window
    return lambda: open_usage(settings.broker.kafka, back_ms)


def _policies(process: Process, partitions: int) -> Policies:
    """With every tenant's overrides, which go with their file from now on. Blocks. Raises SettingsError."""
    settings = process.settings
    file = Path(settings.overrides_file) if settings.overrides_file else None
    policies = Policies(
        settings.limits,
        settings.ha,
        partitions,
        load_overrides(file, settings.limits) if file else None,
        relabel_memory=settings.gateway.relabel_memory,
        max_repeated_bytes=settings.gateway.max_body_bytes,
    )
    if file is None:
        return policies
    process.reloads.add("overrides", lambda: policies.replace(load_apart(file, settings.limits)), lambda: [file])
    return policies


async def start_consumer(process: Process, parts: AsyncExitStack, bucket: Bucket) -> Consumer:
    """Running on its own thread; unready until it is assigned, and while it cannot publish."""
    settings = process.settings
    consumer = Consumer(
        lambda listener: open_subscription(
            settings.broker,
            log_directory(process),
            settings.consumer.group_id,
            listener,
            process.clock,
            member=settings.consumer.member,
        ),
        bucket,
        recipe=settings_recipe(settings),
        segment=settings.segment,
        settings=settings.consumer,
        directory=process.data_dir / STAGING,
        clock=process.clock,
        logger=process.logger("consumer"),
        registry=process.registry,
    )
    process.readiness.require("consumer", lambda: consumer.problem)
    component = Component("consumer", consumer.run, consumer.stop, process.fail)
    parts.push_async_callback(component.stop)
    component.start()
    return consumer


def start_compactor(process: Process, parts: AsyncExitStack, bucket: Bucket) -> Compactor:
    """Running on its own thread; what is wrong with one run is logged and tried again."""
    stop = threading.Event()
    workspace = Workspace(process.data_dir / STAGING, "compactor")
    parts.callback(workspace.close)
    compactor = Compactor(
        bucket,
        settings=process.settings.compactor,
        workspace=workspace,
        clock=process.clock,
        logger=process.logger("compactor"),
        registry=process.registry,
    )
    component = Component("compactor", lambda: compactor.run(stop), stop.set, process.fail)
    parts.push_async_callback(component.stop)
    component.start()
    return compactor


def add_query(process: Process, app: web.Application, bucket: Bucket, heads: Heads) -> None:
    """Remote read over these heads and the bucket; nothing to end."""
    settings = process.settings
    selector = Selector(heads, BucketBlocks(bucket), max_samples=settings.query.max_samples)
    tenants = TenantReader(settings.tenancy)
    read = RemoteRead(
        selector,
        settings.query,
        tenants.read,
        QueryMetrics(process.registry),
        process.logger("query"),
    )
    app.add_routes(read.routes())


async def start_web(process: Process, parts: AsyncExitStack, app: web.Application, status: Status) -> None:
    """Serving; the last part to start and the first to end."""
    parts.callback(status.close)
    app.add_routes(status.routes())
    app.add_routes(Page(status).routes())
    app.add_routes(process.reloads.routes(process.siblings, enabled=process.settings.web.enable_lifecycle))
    access = await asyncio.to_thread(WebAccess, process.settings, process.registry, process.clock)
    parts.callback(access.close)
    process.reloads.add("web", access.reload, access.files)
    sockets = process.worker.sockets() if process.worker else ()
    web_settings, logger = process.settings.web, process.logger("web")
    server = WebServer(app, web_settings, LISTEN[process.role], logger, access=access, sockets=sockets)
    await server.start()
    parts.push_async_callback(server.stop)
    _provide_life(process, app)
    logger.info("listening", address=server.address, tls=access.tls() is not None)


def _provide_life(process: Process, app: web.Application) -> None:
    """Serving from now on, for whoever asks."""

    async def ready(_: str) -> list[str]:
        return process.readiness.objections()

    async def retire(_: str) -> None:
        app[DRAIN].patience = RETIRE_SECONDS
        process.end()

    process.siblings.provide("ready", ready)
    process.siblings.provide("retire", retire)
