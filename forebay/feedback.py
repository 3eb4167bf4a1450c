"""What a gateway tells of refusals: the rejections of its processes and of consumers, as an API and as a page."""

from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack

from aiohttp import web

from broker.log import LogWriter
from bucket.bucket import Bucket
from bucket.open import open_bucket
from consumers.status import HeldRejections
from forebay.ledger_rejections import LedgerRejections
from forebay.parts import bucket_settings
from forebay.process import Process
from forebay.rejections_page import RejectionsPage
from forebay.trial_api import TrialApi
from gateway.app import INTAKE
from gateway.rejections_api import RejectionsApi
from gateway.rejections_view import AfterAck, Nothing, RejectionsView
from gateway.tenant import TenantReader


def add_feedback(
    process: Process,
    parts: AsyncExitStack,
    app: web.Application,
    log: LogWriter,
    *,
    held: Callable[[], Iterable[HeldRejections]] = tuple,
) -> None:
    """To an application that has an intake. `held` is that of a consumer in this process."""
    settings, intake = process.settings, app[INTAKE]
    after_ack: AfterAck = Nothing()
    if settings.bucket is not None or settings.broker.type == "embedded":

        def open_own() -> Bucket:
            return open_bucket(bucket_settings(settings, process.data_dir))

        ledgers = LedgerRejections(
            open_own, log_id=log.log_id, partitions=lambda: log.partitions, held=held, clock=process.clock
        )
        parts.push_async_callback(ledgers.close)
        after_ack = ledgers
    api = RejectionsApi(
        RejectionsView(intake.rejections.book, after_ack, process.siblings, intake.active_series),
        tenants=TenantReader(settings.tenancy),
        limits_of=intake.limits,
    )
    app.add_routes(api.routes())
    app.add_routes(RejectionsPage(api).routes())
    trials = TrialApi(
        intake.trial,
        enabled=settings.web.enable_admin_api,
        defaults=settings.limits,
        ha=settings.ha,
        partitions=log.partitions,
        active_window_ms=int(settings.gateway.active_series_window),
        siblings=process.siblings,
        clock=process.clock,
    )
    app.add_routes(trials.routes())
