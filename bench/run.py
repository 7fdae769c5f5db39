"""run.py [-B BUILD] [--full] [--rounds N] [TOPIC...]: measures, prints a table per topic, writes BUILD/bench/results.json and plot.svg."""
import argparse
import os
import platform
import sys
import time

import report
import topics
from measure import Bench, Failed


def processor():
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-B", "--build", default="build")
    parser.add_argument("--full", action="store_true", help="larger sizes and more rounds: an hour")
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help=" ".join(topic.__name__ for topic in topics.ALL))
    arguments = parser.parse_args()
    unknown = set(arguments.topics) - {topic.__name__ for topic in topics.ALL}
    if unknown:
        parser.error(f"no such topic: {' '.join(unknown)}")

    tables, failed = [], 0
    about = dict(date=time.strftime("%Y-%m-%d"), kernel=platform.release(), processor=processor(), cpus=len(os.sched_getaffinity(0)),
                 memory=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), root=os.geteuid() == 0)
    print(", ".join(f"{name} {value}" for name, value in about.items()), flush=True)
    for topic in topics.ALL:
        if arguments.topics and topic.__name__ not in arguments.topics:
            continue
        bench = Bench(arguments.build, arguments.full, arguments.rounds)
        try:
            tables.append(topic(bench))
            print("\n" + tables[-1].text(), end="", flush=True)
        except (Failed, OSError) as error:
            failed += 1
            print(f"\n{topic.__name__}: {error}", flush=True)
        finally:
            bench.close()
    if not tables:
        return 1
    results = os.path.join(arguments.build, "bench", "results.json")
    report.write_json(results, tables, about)
    report.write_plot(os.path.join(arguments.build, "bench", "plot.svg"), tables)
    print(f"\nwritten: {results}, plot.svg beside it")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
