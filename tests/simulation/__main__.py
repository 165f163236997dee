"""The sweep: many seeds, one after the other on each core, with progress; or one seed alone.

python -m tests.simulation                  # seeds 0 to 199
python -m tests.simulation --seeds 1000 --first 200
python -m tests.simulation --seed 7         # one, again
"""

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.scenario import FoundError, Outcome, run_seed


def attempt(seed: int, nodes: int) -> Outcome | str:
    """What became of a seed, or what it found."""
    try:
        return run_seed(seed, nodes)
    except FoundError as found:
        return str(found)
    except Exception as error:  # noqa: BLE001 - whatever it is, the seed must be told
        return f"seed {seed}: {type(error).__name__}: {error}"


def sweep(first: int, count: int, nodes: int, processes: int) -> int:
    """Run `count` seeds; the number of those that found something."""
    began, found, outcomes = time.monotonic(), [], []
    seeds = range(first, first + count)
    with ProcessPoolExecutor(processes) as pool:
        for done, result in enumerate(pool.map(attempt, seeds, [nodes] * count), 1):
            if isinstance(result, str):
                found.append(result)
                print(f"\nFOUND {result}", flush=True)
            else:
                outcomes.append(result)
            print(f"\r{done}/{count} seeds, {len(found)} found something", end="", flush=True)
    elapsed = time.monotonic() - began
    simulated = sum(outcome.simulated_s for outcome in outcomes)
    print(
        f"\n{nodes} nodes, {simulated / 3600:.1f} simulated hours in {elapsed:.0f} s: "
        f"{sum(o.events for o in outcomes):,} events, {sum(o.payments for o in outcomes):,} "
        f"payments, {sum(o.splits for o in outcomes)} splits, {sum(o.crashes for o in outcomes)} "
        f"crashes, longest reorganisation {max((o.longest_reorg for o in outcomes), default=0)}"
    )
    return len(found)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="only this one; says what it came to")
    parser.add_argument("--nodes", type=int, default=20)
    parser.add_argument("--processes", type=int, default=2)
    chosen = parser.parse_args()
    if chosen.seed is None:
        return 1 if sweep(chosen.first, chosen.seeds, chosen.nodes, chosen.processes) else 0
    began = time.monotonic()
    print(run_seed(chosen.seed, chosen.nodes))
    print(f"{time.monotonic() - began:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
