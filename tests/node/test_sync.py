"""Headers, blocks and their announcement: what is kept, what it costs to send what is wrong."""

import pytest

from chain.block import Block, BlockHeader
from chain.transaction import Transaction, TxOut
from node.core import NodeOptions
from node.events import BlockConnected, BlockDisconnected, NetAddress
from node.mempool.template import grind
from node.messages import (
    MSG_BLOCK,
    MSG_WITNESS_BLOCK,
    BlockMessage,
    GetData,
    GetHeaders,
    Headers,
    Inv,
    InventoryItem,
    NotFound,
    SendHeaders,
)
from node.simulator import Simulation
from tests.builders import ChainBuilder, solve
from tests.node.guests import Bench, Guest
from tests.node.test_download import announce, asked, grown, hashes
from tests.simulation.base import BASE_HEIGHT, PAY_TO_ANYONE, base_rows

ZERO = bytes(32)


def resolved(block: Block, **changes: object) -> Block:
    """A block with another header, its work done again."""
    header = block.header._replace(**changes)  # type: ignore[arg-type]
    found = grind(Block(header, block.transactions), 0, 1 << 32)
    assert found is not None
    return found


def overpaid(block: Block) -> Block:
    """A block whose coinbase takes one satoshi too many."""
    first = block.transactions[0]
    outputs = (TxOut(first.outputs[0].value + 1, PAY_TO_ANYONE), *first.outputs[1:])
    coinbase = Transaction(first.version, first.inputs, outputs, first.locktime)
    return resolved(Block(block.header, (coinbase,)), merkle_root=coinbase.txid)


def mutated(block: Block) -> Block:
    """The same header over another body."""
    first = block.transactions[0]
    outputs = (TxOut(1, PAY_TO_ANYONE), *first.outputs[1:])
    return Block(block.header, (Transaction(first.version, first.inputs, outputs, first.locktime),))


def tip(bench: Bench) -> bytes:
    return bench.node.chainstate.tip.hash


# Two real nodes.


def test_a_new_node_learns_the_chain_of_another() -> None:
    network = Simulation(5, 2, rows=base_rows())
    network.now += BASE_HEIGHT
    for _ in range(30):
        network.mine(0)
    network.connect(1, 0)
    network.run(4)
    assert network.node(1).chainstate.tip.hash == network.node(0).chainstate.tip.hash


def test_a_node_without_anything_learns_more_than_one_message_of_headers() -> None:
    network = Simulation(5, 1, rows=base_rows())
    network.now += 3000
    for _ in range(2100):
        network.mine(0)
    blank = Simulation(5, 2)
    blank.now = network.now
    blank.hosts[0].node = network.node(0)
    blank.connect(1, 0)
    assert blank.run_until(lambda: blank.node(1).chainstate.tip.height == 2210, 60)


def test_a_block_found_by_one_reaches_the_other_by_its_header() -> None:
    network = Simulation(5, 3, rows=base_rows())
    network.now += BASE_HEIGHT
    network.connect(0, 1)
    network.connect(1, 2)
    network.run(3)
    block = network.mine(0)
    network.run(2)
    assert network.node(2).chainstate.tip.hash == block.hash


def test_a_reorganisation_travels() -> None:
    network = Simulation(6, 2, rows=base_rows())
    network.now += BASE_HEIGHT
    for _ in range(2):
        network.mine(0)
    for _ in range(30):
        network.mine(1)
    network.connect(0, 1)
    network.run(5)
    assert network.node(0).chainstate.tip.hash == network.node(1).chainstate.tip.hash
    assert network.node(0).chainstate.active.height == BASE_HEIGHT + 30


# Headers.


def test_a_new_peer_is_asked_from_our_best_headers_parent() -> None:
    bench = Bench()
    request = bench.guest().last(GetHeaders)
    assert request.locator[0] == bench.node.chainstate.active[BASE_HEIGHT - 1].hash
    assert request.stop == ZERO


def test_it_answers_what_follows_a_locator_and_says_so_when_nothing_does() -> None:
    bench = Bench()
    guest, active = bench.guest(), bench.node.chainstate.active
    [reply] = guest.say(GetHeaders(70016, (active[100].hash,), ZERO))
    assert reply == Headers(tuple(active[height].header for height in range(101, 111)))
    assert guest.say(GetHeaders(70016, (tip(bench),), ZERO)) == [Headers(())]


def test_a_full_message_of_headers_is_followed_by_a_question() -> None:
    bench, blocks = Bench(), grown(2001)
    guest = bench.guest()
    guest.forget()
    announce(guest, blocks[:2000])
    assert guest.last(GetHeaders).locator[0] == blocks[1998].hash
    announce(guest, blocks[2000:])
    assert len(guest.of(GetHeaders)) == 1
    assert bench.node.chainstate.headers.best_header.hash == blocks[2000].hash


def test_headers_without_their_parent_are_asked_about() -> None:
    bench, blocks = Bench(), grown(3)
    guest = bench.guest()
    guest.say(Headers(()))
    guest.forget()
    announce(guest, blocks[2:])
    assert len(guest.of(GetHeaders)) == 1
    announce(guest, blocks[:3])
    assert asked(guest) == hashes(blocks)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("gap", "headers that do not follow each other"),
        ("parentless", "headers without a parent"),
        ("work", "high-hash"),
        ("bits", "bad-diffbits"),
        ("time", "time-too-old"),
    ],
)
def test_wrong_headers_cost_the_link(wrong: str, why: str) -> None:
    bench, blocks = Bench(), grown(12)
    headers: list[BlockHeader] = [block.header for block in blocks]
    if wrong == "gap":
        del headers[3]
    elif wrong == "parentless":
        del headers[0]
    elif wrong == "work":
        headers = [solve(headers[0], valid=False)]
    elif wrong == "bits":
        headers = [solve(headers[0]._replace(bits=0x207FFFFE))]
    else:
        headers = [solve(headers[0]._replace(time=1_600_000_000))]
    address = NetAddress("10.7.7.7", 18444)
    guest = bench.guest(inbound=False, address=address)
    guest.say(Headers(tuple(headers)))
    assert guest.closed is not None and guest.closed.startswith(why)
    assert bench.node.addresses.is_discouraged(address, bench.now)
    assert guest.link not in bench.node.peers


def test_a_header_from_the_future_costs_nothing() -> None:
    bench, blocks = Bench(), grown(1)
    guest = bench.guest()
    early = solve(blocks[0].header._replace(time=int(bench.now) + 7201))
    guest.say(Headers((early,)))
    assert guest.closed is None
    assert bench.node.chainstate.headers.get(early.hash) is None
    bench.now += 2
    guest.say(Headers((early,)))
    assert bench.node.chainstate.headers.get(early.hash) is not None


def test_a_branch_with_little_work_is_not_kept() -> None:
    """Our chain is 200 blocks ahead of the fork: short branches are dropped, without blame."""
    bench, blocks = Bench(), grown(50)
    bench.mine(200)
    known = len(bench.node.chainstate.headers)
    guest = bench.guest()
    announce(guest, blocks)
    assert guest.closed is None
    assert len(bench.node.chainstate.headers) == known


def test_a_long_branch_waits_until_it_has_enough_work() -> None:
    bench, blocks = Bench(), grown(2010)
    bench.mine(2200)
    guest, size = bench.guest(), len(bench.node.chainstate.headers)
    guest.forget()
    announce(guest, blocks[:2000])
    assert len(bench.node.chainstate.headers) == size
    assert guest.last(GetHeaders).locator[0] == blocks[1999].hash
    assert len(guest.peer.low_work) == 2000
    guest.say(Headers(tuple(block.header for block in blocks[2000:])))
    assert guest.peer.low_work == []
    assert len(bench.node.chainstate.headers) == size  # 2,010 are 190 behind: not enough


def test_a_long_branch_with_enough_work_is_kept_in_the_end() -> None:
    bench, blocks = Bench(), grown(2100)
    bench.mine(2200)
    guest = bench.guest()
    announce(guest, blocks[:2000])
    announce(guest, blocks[2000:])
    assert bench.node.chainstate.headers.get(blocks[-1].hash) is not None
    assert guest.peer.best_known is not None
    assert guest.peer.best_known.hash == blocks[-1].hash


def test_headers_that_only_claim_work_cost_the_link() -> None:
    bench, blocks = Bench(), grown(2000)
    bench.mine(2200)
    guest = bench.guest()
    headers = [block.header for block in blocks]
    headers[-1] = solve(headers[-1], valid=False)
    guest.say(Headers(tuple(headers)))
    assert guest.closed == "headers without proof of work"


def test_an_endless_branch_with_little_work_is_cut() -> None:
    """CVE-2019-25220: a million headers must not fill the memory."""
    bench = Bench()
    bench.node.chainstate.tip.chainwork += 10**9  # far more than the attacker will show
    guest = bench.guest()
    size = len(bench.node.chainstate.headers)
    parent, sent = bench.node.chainstate.active[1], 0
    header = parent.header
    while guest.closed is None and sent < 30_000:
        batch = []
        for _ in range(2000):
            header = solve(header._replace(prev_hash=header.hash, time=header.time + 1))
            batch.append(header)
        guest.say(Headers(tuple(batch)))
        sent += 2000
    assert guest.closed == "a long branch with little work"
    assert sent == 22_000
    assert len(bench.node.chainstate.headers) == size


def chain_of_headers(root: BlockHeader, count: int, version: int) -> list[BlockHeader]:
    headers = [root]
    for _ in range(count):
        last = headers[-1]
        headers.append(
            solve(last._replace(prev_hash=last.hash, time=last.time + 1, version=version))
        )
    return headers[1:]


def test_a_heavier_chain_without_blocks_does_not_cost_an_honest_peer_its_link() -> None:
    bench = Bench()
    bench.mine(1)
    liar, honest = bench.guest(), bench.guest()
    root = bench.node.chainstate.active[0].header
    for guest, length, version in ((liar, 14_000, 5), (honest, 13_000, 6)):
        headers = chain_of_headers(root, length, version)
        for start in range(0, length, 2000):
            guest.say(Headers(tuple(headers[start : start + 2000])))
    assert honest.closed is None


def test_many_branches_that_lead_nowhere_are_cut() -> None:
    bench = Bench()
    bench.mine(3)
    guest, chain = bench.guest(), bench.node.chainstate
    size = len(chain.headers)
    root = chain.active[1].header
    for branch in range(200):
        header, batch = root, []
        for _ in range(100):
            header = solve(
                header._replace(prev_hash=header.hash, time=header.time + 1, version=4 + branch)
            )
            batch.append(header)
        guest.say(Headers(tuple(batch)))
        if guest.closed:
            break
    assert guest.closed == "too many headers that lead nowhere"
    assert len(chain.headers) - size <= 10_100


def say_in_full_messages(guest: Guest, headers: list[BlockHeader]) -> None:
    for start in range(0, len(headers), 2000):
        guest.say(Headers(tuple(headers[start : start + 2000])))


@pytest.mark.parametrize("ahead", [50, 2100])
def test_a_long_branch_that_overtakes_our_tip_costs_nothing(ahead: int) -> None:
    """Though after 12,000 headers it is still a little behind."""
    bench = Bench()
    chain = bench.node.chainstate
    branch = chain_of_headers(chain.active[0].header, 12_000 + ahead, 5)
    chain.tip.chainwork = chain.active[0].chainwork + 2 * (12_000 + 40)
    guest = bench.guest()
    say_in_full_messages(guest, branch)
    assert guest.closed is None
    assert guest.peer.side_headers == 0
    assert chain.headers.get(branch[-1].hash) is not None


# Blocks announced by inv.


def inv(*block_hashes: bytes) -> Inv:
    return Inv(tuple(InventoryItem(MSG_BLOCK, block_hash) for block_hash in block_hashes))


def test_a_block_announced_by_its_hash_is_asked_for_by_its_header() -> None:
    bench, blocks = Bench(), grown(1)
    guest = bench.guest()
    guest.say(Headers(()))
    guest.forget()
    guest.say(inv(blocks[0].hash))
    assert len(guest.of(GetHeaders)) == 1
    announce(guest, blocks)
    assert asked(guest) == hashes(blocks)


def test_a_block_announced_while_headers_are_on_their_way_is_not_forgotten() -> None:
    bench, blocks = Bench(), grown(2)
    guest = bench.guest()  # the answer to the first question is still to come
    guest.forget()
    guest.say(inv(blocks[1].hash))
    assert guest.of(GetHeaders) == []
    announce(guest, blocks[:1])
    assert len(guest.of(GetHeaders)) == 1
    guest.say(inv(blocks[1].hash))
    announce(guest, blocks[1:])
    assert guest.peer.unknown_block is None
    assert asked(guest) == hashes(blocks)


def test_an_unanswered_question_is_asked_again_after_two_minutes() -> None:
    bench, blocks = Bench(), grown(1)
    guest = bench.guest()
    guest.forget()
    bench.now += 121
    guest.say(inv(blocks[0].hash))
    assert len(guest.of(GetHeaders)) == 1


def test_an_inv_of_what_we_know_tells_what_the_peer_has() -> None:
    bench, blocks = Bench(), grown(1)
    first, second = bench.guest(), bench.guest()
    announce(first, blocks)
    second.say(inv(blocks[0].hash))
    assert second.peer.best_known is bench.node.chainstate.headers.get(blocks[0].hash)


# Blocks.


def test_a_block_nobody_asked_for_is_kept_if_it_is_of_use() -> None:
    bench, blocks = Bench(), grown(2)
    guest = bench.guest()
    guest.say(BlockMessage(blocks[0]))
    assert tip(bench) == blocks[0].hash
    guest.say(BlockMessage(blocks[0]))  # again: nothing
    bench.mine(4)
    old = grown(2, extra_nonce=77)
    guest.say(BlockMessage(old[0]))
    assert guest.closed is None
    assert bench.node.chainstate.read_block_bytes(old[0].hash) is None


def test_a_block_far_ahead_that_nobody_asked_for_is_not_kept() -> None:
    bench, blocks = Bench(), grown(290)
    guest = bench.guest()
    announce(guest, blocks)
    guest.say(BlockMessage(blocks[287]))
    guest.say(BlockMessage(blocks[288]))
    chain = bench.node.chainstate
    assert chain.read_block_bytes(blocks[287].hash) is not None
    assert chain.read_block_bytes(blocks[288].hash) is None


@pytest.mark.parametrize("asked_for", [True, False])
def test_an_invalid_block_costs_the_link(asked_for: bool) -> None:
    bench = Bench()
    bad = overpaid(bench.block())
    address = NetAddress("8.8.4.4", 5000)
    guest, bystander = bench.guest(address=address), bench.guest()
    if asked_for:
        guest.say(Headers((bad.header,)))
        bystander.say(Headers((bad.header,)))
    before = tip(bench)
    guest.say(BlockMessage(bad))
    assert guest.closed is not None and guest.closed.startswith("bad-cb-amount")
    assert bystander.closed is None
    assert tip(bench) == before
    assert bench.node.addresses.is_discouraged(NetAddress("8.8.4.4", 1), bench.now)
    late = bench.guest()
    late.say(Headers((bad.header,)))
    assert late.closed == "duplicate-invalid"


def test_a_discouraged_host_may_not_come_back() -> None:
    bench = Bench()
    guest = bench.guest(address=NetAddress("8.8.4.4", 5000))
    guest.say(BlockMessage(overpaid(bench.block())))
    again = bench.guest(address=NetAddress("8.8.4.4", 6000), shaken=False)
    assert again.closed == "this address has misbehaved"
    other = bench.guest(address=NetAddress("8.8.4.5", 6000))
    assert other.closed is None


def test_the_one_who_sent_an_invalid_block_is_blamed_when_it_is_found_later() -> None:
    bench = Bench()
    builder = Bench(seed=5)
    builder.mine(1)
    bad = overpaid(builder.block())
    first = builder.node.chainstate.read_block(builder.node.chainstate.tip.hash)
    assert first is not None
    culprit, honest = bench.guest(), bench.guest()
    culprit.say(Headers((first.header, bad.header)))
    culprit.say(BlockMessage(bad))  # its parent is missing: nothing can be said yet
    assert culprit.closed is None
    honest.say(BlockMessage(first))
    assert culprit.closed is not None and culprit.closed.startswith("bad-cb-amount")
    assert honest.closed is None
    assert tip(bench) == first.hash


def test_the_one_who_sent_it_may_be_gone_by_then() -> None:
    bench, builder = Bench(), Bench(seed=5)
    [first] = builder.mine(1)
    bad = overpaid(builder.block())
    culprit, honest = bench.guest(), bench.guest()
    culprit.say(Headers((first.header, bad.header)))
    culprit.say(BlockMessage(bad))
    culprit.leave()
    honest.say(BlockMessage(first))
    assert honest.closed is None
    assert tip(bench) == first.hash


def test_a_mutated_body_does_not_keep_the_true_one_away() -> None:
    """CVE-2024-52921: only the sender of the false body pays."""
    bench, blocks = Bench(), grown(1)
    attacker, honest = bench.guest(), bench.guest()
    announce(attacker, blocks)
    announce(honest, blocks)
    attacker.say(BlockMessage(mutated(blocks[0])))
    assert attacker.closed is not None and attacker.closed.startswith("bad-txnmrklroot")
    assert asked(honest) == hashes(blocks)
    honest.say(BlockMessage(blocks[0]))
    assert tip(bench) == blocks[0].hash


def test_a_mutated_body_sent_unasked_disturbs_no_download() -> None:
    bench, blocks = Bench(), grown(1)
    honest, attacker = bench.guest(), bench.guest()
    announce(honest, blocks)
    attacker.say(BlockMessage(mutated(blocks[0])))
    assert attacker.closed is not None
    assert list(honest.peer.blocks_asked) == hashes(blocks)
    assert len(asked(honest)) == 1
    honest.say(BlockMessage(blocks[0]))
    assert tip(bench) == blocks[0].hash


def test_a_block_without_a_known_parent_costs_the_link() -> None:
    bench, blocks = Bench(), grown(2)
    guest = bench.guest()
    guest.say(BlockMessage(blocks[1]))
    assert guest.closed == "prev-blk-not-found"


def test_what_the_operator_declared_invalid_costs_nobody_anything() -> None:
    bench = Bench()
    blocks = bench.mine(2)
    bench.node.invalidate(blocks[0].hash, bench.now)
    bench.carry_out()
    assert tip(bench) != blocks[1].hash
    guest = bench.guest()
    guest.say(Headers(tuple(block.header for block in blocks)))
    child = resolved(blocks[1], prev_hash=blocks[1].hash, time=blocks[1].header.time + 1)
    guest.say(Headers((child.header,)))
    assert guest.closed is None
    bench.node.reconsider(blocks[0].hash, bench.now)
    bench.carry_out()
    assert tip(bench) == blocks[1].hash


def test_a_restarted_node_still_knows_what_its_operator_declared_invalid() -> None:
    bench = Bench()
    blocks = bench.mine(2)
    bench.node.invalidate(blocks[0].hash, bench.now)
    again = Bench(store=bench.store)
    assert tip(again) != blocks[1].hash
    guest = again.guest()
    guest.say(Headers(tuple(block.header for block in blocks)))
    assert guest.closed is None


def test_a_block_of_another_branch_can_be_declared_invalid_too() -> None:
    bench, blocks = Bench(), grown(2)
    bench.mine(1)
    guest = bench.guest()
    announce(guest, blocks[:1])
    bench.node.invalidate(blocks[0].hash, bench.now)
    guest.say(Headers((blocks[1].header,)))
    assert guest.closed is None


def test_many_bodies_without_their_parents_are_not_remembered_for_ever() -> None:
    bench, blocks = Bench(), grown(288)
    guest = bench.guest()
    sync = bench.node._sync
    announce(guest, blocks)
    for block in blocks[1:]:
        guest.say(BlockMessage(block))
    assert len(sync._sources) == 287
    guest.say(BlockMessage(blocks[0]))
    assert sync._sources == {}


# Announcing.


def test_peers_hear_of_a_new_tip_as_they_like_it() -> None:
    bench = Bench()
    by_inv, by_headers, behind = bench.guest(), bench.guest(), bench.guest()
    for guest in by_inv, by_headers:
        guest.say(GetHeaders(70016, (tip(bench),), ZERO))  # it has our tip
    by_headers.say(SendHeaders())
    behind.say(SendHeaders())
    [block] = bench.mine()
    assert by_inv.heard[-1] == inv(block.hash)
    assert by_headers.heard[-1] == Headers((block.header,))
    assert behind.heard[-1] == inv(block.hash)  # a header would not connect for it
    assert bench.of(BlockConnected)


def test_nobody_is_told_what_it_has_told_us() -> None:
    bench, blocks = Bench(), grown(1)
    teller, other = bench.guest(), bench.guest()
    announce(teller, blocks)
    teller.forget()
    teller.say(BlockMessage(blocks[0]))
    assert teller.heard == []
    assert other.heard[-1] == inv(blocks[0].hash)


def test_a_reorganisation_is_announced_from_the_fork_on() -> None:
    bench, branch = Bench(), grown(2)
    guest, other = bench.guest(), bench.guest()
    guest.say(GetHeaders(70016, (tip(bench),), ZERO))
    guest.say(SendHeaders())
    bench.mine(1)
    announce(other, branch)
    for block in reversed(branch):
        other.say(BlockMessage(block))
    assert tip(bench) == branch[-1].hash
    assert bench.of(BlockDisconnected)
    assert guest.heard[-1] == Headers(tuple(block.header for block in branch))


def test_a_long_reorganisation_is_announced_by_its_tip() -> None:
    bench = Bench()
    guest = bench.guest()
    guest.say(GetHeaders(70016, (tip(bench),), ZERO))
    guest.say(SendHeaders())
    bench.mine(10)
    longer = grown(12)
    other = bench.guest()
    announce(other, longer)
    for block in reversed(longer):
        other.say(BlockMessage(block))
    assert tip(bench) == longer[-1].hash
    assert guest.heard[-1] == inv(longer[-1].hash)


# Serving.


def wanted(*block_hashes: bytes) -> GetData:
    return GetData(tuple(InventoryItem(MSG_WITNESS_BLOCK, each) for each in block_hashes))


def test_blocks_are_served_and_missing_ones_named() -> None:
    bench = Bench()
    guest, active = bench.guest(), bench.node.chainstate.active
    served = guest.say(wanted(active[5].hash, b"\x07" * 32, active[6].hash))
    assert [type(message) for message in served] == [BlockMessage, BlockMessage, NotFound]
    assert served[0].payload() == bench.node.chainstate.read_block_bytes(active[5].hash)
    assert served[2] == NotFound((InventoryItem(MSG_WITNESS_BLOCK, b"\x07" * 32),))


def test_a_slow_reader_gets_its_blocks_as_it_takes_them() -> None:
    bench = Bench()
    waiting = 8_000_000
    bench.node.backlog = lambda link: waiting
    guest, active = bench.guest(), bench.node.chainstate.active
    assert guest.say(wanted(active[5].hash)) == []
    bench.tick()
    assert guest.of(BlockMessage) == []
    waiting = 7_999_999
    bench.tick()
    assert len(guest.of(BlockMessage)) == 1


def test_who_asks_for_more_than_it_takes_is_cut() -> None:
    bench = Bench()
    bench.node.backlog = lambda link: 8_000_000
    guest, active = bench.guest(), bench.node.chainstate.active
    guest.say(wanted(*[active[5].hash] * 512))
    assert guest.closed is None
    guest.say(wanted(active[5].hash))
    assert guest.closed == "asks for more blocks than it takes"


def test_the_builder_of_other_tests_and_this_node_agree_on_a_chain() -> None:
    """Blocks with real signatures, from another maker."""
    chain = ChainBuilder()
    blocks = chain.mine(101)
    blocks += chain.mine(1, [chain.pay(chain.mature()[0], fee=500)])
    network = Simulation(1, 2, options=NodeOptions(allow_private_peers=True))
    network.now = float(chain.now)
    for block in blocks:
        network.node(0).submit_block(block, network.now)
    network.connect(1, 0)
    network.run(5)
    assert network.node(1).chainstate.tip.hash == blocks[-1].hash
