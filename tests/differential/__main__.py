"""The command that runs the differential test at any size.

    python -m tests.differential --spends 20000 --blocks 2000 --trees 500 [--seed N]

Case number i is built from the seed N + i. At the first difference it prints the seed of that case,
how to run it alone, and ends with code 1. So it does if a run of this size never met some reason
to refuse a block, or some error of scripts.
"""

import sys
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Sequence

from chain.errors import Reason
from chain.script.errors import TEXTS
from tests.differential.blocks import CASES_PER_ENGINE, run_blocks
from tests.differential.pair import Difference
from tests.differential.spends import run_spends
from tests.differential.trees import run_trees

# The kinds of case: how many to run between two signs of progress, and what runs them.
KINDS: dict[str, tuple[int, Callable[[int, int], Counter[str]]]] = {
    "spends": (1_000, run_spends),
    "blocks": (CASES_PER_ENGINE, run_blocks),
    "trees": (10, run_trees),
}
# Another reason always comes first, or it takes more coins than there are: see tests/cases.
NEVER_MET = {
    Reason.BAD_TXNS_OVERSIZE,
    Reason.BAD_TXNS_INPUTVALUES_OUTOFRANGE,
    Reason.BAD_TXNS_FEE_OUTOFRANGE,
    Reason.BAD_TXNS_ACCUMULATED_FEE_OUTOFRANGE,
}
ENOUGH_SPENDS, ENOUGH_BLOCKS = 20_000, 2_000  # to have met everything


def missing(spends: Counter[str], blocks: Counter[str]) -> set[str]:
    """What should have been met, and was not, if there were cases enough."""
    codes = set(TEXTS) - set(spends) if spends.total() >= ENOUGH_SPENDS else set()
    return codes | (_missing_reasons(blocks) if blocks.total() >= 2 * ENOUGH_BLOCKS else set())


def _missing_reasons(verdicts: Counter[str]) -> set[str]:
    met = {verdict.split("(")[0].rstrip() for verdict in verdicts}
    texts = {reason.text.split("(")[0].rstrip() for reason in set(Reason) - NEVER_MET}
    return texts - met


def run(kind: str, count: int, seed: int) -> Counter[str]:
    """All cases of one kind, with progress."""
    step, run_some = KINDS[kind]
    found: Counter[str] = Counter()
    began = time.monotonic()
    for done in range(0, count, step):
        some = min(step, count - done)
        found += run_some(some, seed + done)
        elapsed_s = time.monotonic() - began
        print(f"{kind}: {done + some} of {count}, {elapsed_s:.0f} s", flush=True)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code."""
    parser = ArgumentParser(prog="python -m tests.differential")
    for kind in KINDS:
        parser.add_argument(f"--{kind}", type=int, default=0, metavar="COUNT")
    parser.add_argument("--seed", type=int, default=0)
    options = vars(parser.parse_args(arguments))
    seed, found = options.pop("seed"), {}
    for kind, count in options.items():
        try:
            found[kind] = run(kind, count, seed)
        except Difference as difference:
            again = f"python -m tests.differential --{kind} 1 --seed SEED"
            print(f"DIFFERENCE: {difference}\nto run it alone: {again}", file=sys.stderr)
            return 1
    for kind, counts in found.items():
        print(f"\n{kind}: {options[kind]} cases, no difference")
        for what, count in counts.most_common():
            print(f"{count:8} {what}")
    never = sorted(missing(found["spends"], found["blocks"]))
    if never:
        print(f"never met: {', '.join(never)}: the cases are too tame", file=sys.stderr)
    return 1 if never else 0


if __name__ == "__main__":
    sys.exit(main())
