"""Aims: what each ratio is meant to reach, shown beside what it has reached.

Knows figures by their words alone. An aim that is missed stays here, and stays seen.
"""

import re

ENGINE, WHEEL, LIBRARY = "Bitcoin Core's engine", "the engine as Python", "libsecp256k1"
# The first that fits counts: a pattern of what is measured, what it is held against, the aim.
AIMS = (
    (r"connect .* the index", ENGINE, "≤ 1.4"),
    (r"connect .* synced", ENGINE, ""),
    (r"connect .* an input", ENGINE, "≤ 1"),
    (r"connect .* the index", WHEEL, "≤ 1.4"),
    (r"connect .* an input", WHEEL, "≤ 1"),
    (r"connect .* an input", LIBRARY, "≤ 2"),
    (r"connect .* that wait already", "", "≤ 0.33"),
    (r"an input, its coin among", "", "≤ 1.3"),
    (r"a reorganisation", "", "≤ 2.5"),
    (r"start of a node", "", "≤ 1.5"),
    (r"a payment by POST", "", "≤ 2"),
    (r"mining, each", "", "≥ 0.95"),
    (r"accept a payment, 1,000 waiting", "", "≤ 3"),
    (r"testnet up", "", "≤ 6"),
    (r"farthing wallet balance", "", "≤ 2"),
)


def aim_of(what: str, against: str) -> str:
    """The aim of a figure's ratio, such as `≤ 1.3`; empty if there is none."""
    for pattern, comparator, aim in AIMS:
        if re.match(pattern, what) and against.startswith(comparator):
            return aim
    return ""
