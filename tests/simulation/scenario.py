"""One seed, one history: a network is paid on, mined on, split, healed, crashed, and must agree.

twenty nodes in a ring with chords -> traffic -> two halves mine apart -> they meet
  -> crashes and restarts, lost messages -> quiet -> one tip, equal coins, nothing lost
"""

from dataclasses import dataclass, field
from random import Random

from chain.block_rules import subsidy
from chain.chainstate import Chainstate
from chain.params import REGTEST
from chain.store import MemoryStore
from chain.transaction import OutPoint, Transaction
from node.events import Effect, Log
from node.mempool.reasons import Rejected
from node.simulator import START_S, Simulation
from tests.simulation.base import (
    BASE_HEIGHT,
    PAY_TO_ANYONE,
    Coin,
    base_rows,
    coin_of,
    mature_coins,
    payment,
)

SETTLE_S = 180.0


class FoundError(AssertionError):
    """A network did not do what it must; the message says which seed and how to see it again."""


@dataclass(frozen=True)
class Outcome:
    """What one seed came to."""

    seed: int
    trace: str
    events: int
    simulated_s: float
    height: int
    payments: int
    splits: int
    crashes: int
    longest_reorg: int


@dataclass
class Scenario:
    """A network and those who use it."""

    seed: int
    count: int = 20
    network: Simulation = field(init=False)
    rng: Random = field(init=False)
    coins: list[Coin] = field(default_factory=list)
    """Outputs that nobody has spent yet."""
    payments: dict[bytes, tuple[Transaction, int, float]] = field(default_factory=dict)
    """Accepted payments by txid: the transaction, where it was entered, and when."""
    crashes: list[tuple[int, float]] = field(default_factory=list)
    """Which node, and when."""
    acknowledged: dict[int, bytes] = field(default_factory=dict)
    """The tip of each node that crashed."""
    splits: int = 0
    longest_reorg: int = 0

    def __post_init__(self) -> None:
        self.rng = Random(f"scenario {self.seed}")
        self.network = Simulation(self.seed, self.count, rows=base_rows())
        self.network.on_effect = self.watch
        self.network.now += BASE_HEIGHT
        self.coins = mature_coins(self.network.node(0).chainstate)

    def watch(self, number: int, effect: Effect) -> None:
        """No honest node is ever blamed by another."""
        if isinstance(effect, Log) and "misbehaved" in effect.text:
            self.fail(f"node {number}: {effect.text}")

    def fail(self, why: str) -> None:
        raise FoundError(f"{why}; see it again: python -m tests.simulation --seed {self.seed}")

    # What happens.

    def build(self) -> None:
        """A ring with chords, so that no single crash cuts it."""
        for number in range(self.count):
            self.network.connect(number, (number + 1) % self.count)
            if self.rng.random() < 0.5:
                other = self.rng.randrange(self.count)
                if other != number:
                    self.network.connect(number, other)
        self.network.run(5)

    def pay(self) -> None:
        """Somebody pays somebody at some node, unless that node has not heard of the coin."""
        if not self.coins:
            return
        index = self.rng.randrange(len(self.coins))
        number = self.rng.choice(self.network.up)
        tx = payment(self.coins[index], (self.rng.randint(25, 50), 50))
        try:
            self.network.submit(number, tx)
        except Rejected:
            return
        self.payments[tx.txid] = (tx, number, self.network.now)
        self.coins[index] = coin_of(tx, 0)
        if tx.outputs[1].value > 10_000:
            self.coins.append(coin_of(tx, 1))

    def mine(self, number: int | None = None) -> None:
        self.network.mine(
            self.rng.choice(self.network.up) if number is None else number, PAY_TO_ANYONE
        )

    def traffic(self, seconds: int, *, unrest: float = 0.0) -> None:
        """Payments and blocks, and with `unrest` crashes and restarts."""
        for _ in range(seconds):
            if self.rng.random() < 0.6:
                self.pay()
            if self.rng.random() < 0.1:
                self.mine()
            if self.rng.random() < unrest and len(self.network.up) > self.count // 2:
                self.crash(self.rng.choice(self.network.up))
            self.network.run(1)

    def crash(self, number: int) -> None:
        """A node stops between two events, and comes back in a while."""
        self.crashes.append((number, self.network.now))
        self.acknowledged[number] = self.network.node(number).chainstate.tip.hash
        self.network.crash(number)
        self.network.later(self.rng.uniform(0.1, 15), lambda: self.restart(number))

    def restart(self, number: int) -> None:
        """What a node had for its tip survives, whatever else it may have lost."""
        if number in self.network.up:
            return
        self.network.start(number)
        if self.network.node(number).chainstate.tip.hash != self.acknowledged[number]:
            self.fail(f"node {number} has lost the tip that it had before it crashed")

    def split(self) -> None:
        """Two parts mine apart, then meet."""
        self.splits += 1
        numbers = list(range(self.count))
        self.rng.shuffle(numbers)
        middle = self.rng.randint(self.count // 4, 3 * self.count // 4)
        sides = numbers[:middle], numbers[middle:]
        before = min(self.network.node(n).chainstate.tip.height for n in self.network.up)
        self.network.split(sides)
        self.traffic(self.rng.randint(10, 30))
        for side in sides:
            for _ in range(self.rng.randint(1, 4)):
                self.mine(self.rng.choice([n for n in side if n in self.network.up]))
                self.network.run(2)
        heights = [
            max(self.network.node(n).chainstate.tip.height for n in side if n in self.network.up)
            for side in sides
        ]
        self.longest_reorg = max(self.longest_reorg, min(heights) - before)
        self.network.heal()

    def meet(self) -> None:
        """The parts agree, and what only the losing branch had confirmed waits at everybody's."""
        if not self.network.run_until(self.has_equal_work, SETTLE_S):
            self.fail("the parts did not meet")
        if not self.has_one_tip():
            self.mine()  # breaks a tie
        self.network.run_until(self.has_one_tip, SETTLE_S)
        if not self.network.run_until(self.has_equal_mempools, SETTLE_S):
            self.fail("payments of the losing branch are not back in all mempools")

    # What must be true.

    def settle(self) -> None:
        """Faults stop; everybody comes to the same tip and the same waiting transactions."""
        network = self.network
        network.loss = 0.0
        for number in range(self.count):
            self.restart(number)
        if not network.run_until(self.has_equal_work, SETTLE_S):
            self.fail(f"not everybody has the most work after {SETTLE_S:.0f} s of quiet")
        self.mine()  # breaks a tie between branches of equal work
        if not network.run_until(self.has_one_tip, SETTLE_S):
            self.fail(f"{len(self.tips())} tips after {SETTLE_S:.0f} s of quiet")
        if not network.run_until(self.has_equal_mempools, SETTLE_S):
            self.fail("mempools still differ")

    def tips(self) -> set[bytes]:
        return {self.network.node(n).chainstate.tip.hash for n in range(self.count)}

    def has_equal_work(self) -> bool:
        return len({self.network.node(n).chainstate.tip.chainwork for n in range(self.count)}) == 1

    def has_one_tip(self) -> bool:
        return len(self.tips()) == 1

    def has_equal_mempools(self) -> bool:
        nodes = map(self.network.node, range(self.count))
        return len({frozenset(entry.txid for entry in node.mempool) for node in nodes}) == 1

    def confirmed(self) -> set[bytes]:
        """The txids on the chain since the beginning."""
        chain = self.network.node(0).chainstate
        found: set[bytes] = set()
        for height in range(BASE_HEIGHT + 1, chain.tip.height + 1):
            block = chain.read_block(chain.active[height].hash)
            assert block is not None
            found.update(tx.txid for tx in block.transactions)
        return found

    def check_nothing_lost(self) -> None:
        """A payment waits or is confirmed, unless its node crashed before it could tell anyone."""
        alive = self.confirmed() | {entry.txid for entry in self.network.node(0).mempool}
        excused: set[bytes] = set()
        for txid, (tx, number, at) in self.payments.items():
            if txid in alive:
                continue
            crashed = any(who == number and 0 <= when - at < 2 for who, when in self.crashes)
            parents = {tx_in.outpoint.txid for tx_in in tx.inputs}
            if not (crashed or parents & excused):
                self.fail(f"payment {txid[::-1].hex()}, entered at node {number}, is lost")
            excused.add(txid)
            self.network.submit(self.rng.choice(self.network.up), tx)  # wallets try again

    def confirm_all(self) -> None:
        """What waits is mined, and then all agree on every coin."""
        for _ in range(5):
            self.mine()
            self.network.run(5)
        if not self.network.run_until(self.has_one_tip, SETTLE_S):
            self.fail("the last blocks did not reach everybody")
        missing = self.payments.keys() - self.confirmed()
        if missing:
            self.fail(f"{len(missing)} payments were never confirmed")

    def check_state(self) -> None:
        """Equal coins, empty mempools, and not a satoshi more or less than was ever paid out."""
        first = list(self.network.hosts[0].store.scan(b"c"))
        for number, host in enumerate(self.network.hosts):
            if list(host.store.scan(b"c")) != first:
                self.fail(f"node {number} has other coins")
            self.network.node(number).mempool.check_consistency()
            if len(self.network.node(number).mempool):
                self.fail(f"node {number} still has something in its mempool")
        chain = self.network.node(0).chainstate
        fresh = Chainstate(REGTEST, MemoryStore())
        for height in range(1, chain.tip.height + 1):
            block = chain.read_block(chain.active[height].hash)
            assert block is not None
            fresh.accept_block(block, int(self.network.now))
        if list(fresh.store.scan(b"c")) != first:
            self.fail("a chain that never reorganised has other coins")
        paid_out = sum(subsidy(height, REGTEST) for height in range(1, chain.tip.height + 1))
        coins = [
            chain.coins.get(OutPoint(k[1:33], int.from_bytes(k[33:], "big"))) for k, _ in first
        ]
        if sum(coin.output.value for coin in coins if coin) != paid_out:
            self.fail("money was made or lost")


def run_seed(seed: int, count: int = 20) -> Outcome:
    """Play the history of one seed. FoundError if the network did not do what it must."""
    scenario = Scenario(seed, count)
    network = scenario.network
    scenario.build()
    scenario.traffic(20)
    # In every other history links hold, so that nothing is told anew because they were lost.
    is_calm = scenario.rng.random() < 0.5
    network.loss = 0.0 if is_calm else scenario.rng.choice([0.0, 0.0005, 0.002])
    for _ in range(scenario.rng.randint(1, 2)):
        scenario.split()
        if is_calm:
            scenario.meet()
        scenario.traffic(scenario.rng.randint(10, 25), unrest=0.0 if is_calm else 0.2)
    scenario.settle()
    scenario.check_nothing_lost()
    scenario.confirm_all()
    scenario.check_state()
    return Outcome(
        seed,
        network.trace,
        network.events,
        network.now - START_S,
        network.node(0).chainstate.tip.height,
        len(scenario.payments),
        scenario.splits,
        len(scenario.crashes),
        scenario.longest_reorg,
    )
