"""`make elastic`: consumers come and go under constant load on a real Kafka and a real S3 server.

They go 1 -> 4 -> 2 -> 3 -> 1, and one of three is restarted. Four runs: dynamic and static members, ended by SIGTERM or
kill -9. Prints the tables of docs/elastic.md and writes a chart of each run. Exit code 1 where a request failed,
or a sample is not in a block exactly once.
"""

import argparse
import sys
import tempfile
from itertools import product
from pathlib import Path

from tests.elastic.picture import picture
from tests.elastic.report import changes_table, signals_table, totals_table
from tests.elastic.run import LOAD, Plan, Result, run
from tests.elastic.senders import Load
from tests.elastic.servers import servers


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.elastic", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument(
        "--consumers", type=int, nargs="+", default=list(Plan.consumers), help="a number twice restarts one"
    )
    parser.add_argument("--hold", type=float, default=Plan.hold, help="seconds at each number of consumers")
    parser.add_argument("--partitions", type=int, default=Plan.partitions, help="of the topic")
    parser.add_argument("--senders", type=int, default=Plan.senders, help="each with its own series")
    parser.add_argument("--series", type=int, default=LOAD.series, help="of each sender")
    parser.add_argument("--interval", type=float, default=LOAD.interval, help="seconds between two scrapes")
    parser.add_argument("--segment", default="1m", help="segment.interval")
    parser.add_argument("--session", default="6s", help="broker.kafka.session_timeout")
    parser.add_argument(
        "--protocol", choices=["classic", "consumer"], default="classic", help="broker.kafka.group_protocol"
    )
    parser.add_argument("--members", nargs="+", choices=["dynamic", "static"], default=["dynamic", "static"])
    parser.add_argument("--how", nargs="+", choices=["SIGTERM", "kill -9"], default=["SIGTERM", "kill -9"])
    parser.add_argument("--charts", type=Path, default=Path("docs/elastic"), help="where the charts go")
    options = parser.parse_args()
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="forebay-elastic-") as scratch, servers(Path(scratch)) as made:
        for members, how in product(options.members, options.how):
            plan = Plan(
                options.consumers,
                how,
                members == "static",
                options.hold,
                options.senders,
                Load(options.series, options.interval),
                partitions=options.partitions,
            )
            name = f"{members}-{how.replace('kill -9', 'kill').lower()}"
            place = made.place(options.partitions, options.segment, options.session, options.protocol)
            result = run(plan, Path(scratch) / name, place, say)
            results.append(result)
            options.charts.mkdir(parents=True, exist_ok=True)
            (options.charts / f"{name}.svg").write_text(picture(result))
            for problem in [*(f"failed request: {failure}" for failure in result.failures), *result.problems]:
                say(f"PROBLEM: {plan}: {problem}")
    print(f"\n{totals_table(results)}\n\n{changes_table(results)}\n\n{signals_table(results[0])}\n")
    return 1 if any(result.problems or result.failures for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
