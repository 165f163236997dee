"""A block or a header: its fields, its proof of work, its tree, its transactions, broken rules.

Does not know the chain that it stands in: what depends on its parent is not asked.
"""

from collections.abc import Sequence

from chain import block_rules
from chain.block import (
    HEADER_SIZE,
    Block,
    BlockHeader,
    witness_commitment,
    witness_merkle_root,
)
from chain.encoding import compact_size_length, decode_bits, display_hash, write_compact_size
from chain.errors import Invalid, Reason
from chain.hashes import sha256d
from chain.merkle import merkle_root
from chain.params import Params
from chain.script.errors import ScriptError
from chain.script.opcodes import OP_1, OP_16, instructions
from chain.transaction import Transaction
from chain.tx_rules import legacy_sigops
from chain.work import work_of
from scripts.explain import places
from scripts.explain.model import Explanation, Field, Problem, Section, Table, Value
from scripts.explain.times import date_of
from scripts.explain.transaction import Context, coins, problem_of
from scripts.explain.transaction import sections as transaction_sections

FEW_LEAVES = 8  # transactions up to which the tree is drawn
SHORT = 8  # hex digits of a hash in the tree


def explain_header(header: BlockHeader, params: Params) -> Explanation:
    """The 80 bytes alone."""
    problems = _problems_of(lambda: block_rules.check_proof(header, params))
    title = f"header of block {display_hash(header.hash)}"
    return Explanation("header", title, _header_facts(header), _header_sections(header), problems)


def explain_block(block: Block, params: Params, fees: Sequence[int | None] = ()) -> Explanation:
    """A header and its transactions; `fees` of those where they are known, in order."""
    problems = _problems_of(lambda: block_rules.check_block(block, params))
    commitment = _commitment_section(block)
    if not problems and any(each.value == "no" for each in commitment.fields):
        where = places.of_named(block_rules, "_check_witness")
        reason = Reason.BAD_WITNESS_MERKLE_MATCH
        problems = [Problem(reason.text, reason.sentence, where)]
    found = _header_sections(block.header)
    count = len(block.transactions)
    number = Field("transactions", count, "how many follow", write_compact_size(count), HEADER_SIZE)
    found.append(Section("Body", [number]))
    if block.transactions:
        found += [_coinbase_section(block, params), commitment]
    found += [_tree_section(block), _table_section(block, fees)]
    title = f"block {display_hash(block.hash)}"
    return Explanation("block", title, _facts(block, params), found, problems)


def _problems_of(check: object) -> list[Problem]:
    try:
        check()  # type: ignore[operator]
    except Invalid as invalid:
        return [problem_of(invalid)]
    return []


def _header_facts(header: BlockHeader) -> list[Field]:
    target = decode_bits(header.bits)
    return [
        Field("hash", display_hash(header.hash), "the block's id"),
        Field("time", date_of(header.time), "says its miner"),
        Field("target", f"{target:064x}", "the hash must be at most this"),
        Field("work", str(work_of(header.bits)), "hashes that it takes on average"),
    ]


def _facts(block: Block, params: Params) -> list[Field]:
    height = height_of(block)
    sigops = sum(map(legacy_sigops, block.transactions))
    reward = sum(output.value for output in block.transactions[0].outputs) if height else None
    subsidy = block_rules.subsidy(height, params) if height else 0
    facts = [
        *_header_facts(block.header),
        Field("height", height, "says its coinbase (BIP 34)"),
        Field("transactions", len(block.transactions)),
        Field("size", block.size, "bytes"),
        Field("weight", block.weight, "weight units, of 4,000,000 (BIP 141)"),
        Field("sigops", sigops, "signature operations written in it; each costs 4 of 80,000"),
        Field("reward", reward, f"satoshis = {coins(reward or 0)}, to its miner"),
        Field("subsidy", subsidy if height else None, f"satoshis of it are new on {params.name}"),
    ]
    return [fact for fact in facts if fact.value is not None]


def height_of(block: Block) -> int | None:
    """The height with which the coinbase begins; None before BIP 34, or for a damaged one."""
    if not block.transactions or not block.transactions[0].is_coinbase or block.header.version < 2:
        return None
    try:
        opcode, data, _ = next(instructions(block.transactions[0].inputs[0].script_sig))
    except (StopIteration, ScriptError):
        return None
    if OP_1 <= opcode <= OP_16:
        return opcode - OP_1 + 1
    return int.from_bytes(data, "little") if data and len(data) <= 4 else None


def _header_sections(header: BlockHeader) -> list[Section]:
    raw = header.serialize()
    target = f"{decode_bits(header.bits):064x}"
    number = display_hash(header.hash)
    fields = [
        Field("version", f"{header.version & 0xFFFFFFFF:08x}", "which rules its miner signals",
              raw[:4], 0),
        Field("parent", display_hash(header.prev_hash), "the block before", raw[4:36], 4),
        Field("merkle root", display_hash(header.merkle_root), "commits to all transactions",
              raw[36:68], 36),
        Field("time", header.time, date_of(header.time), raw[68:72], 68),
        Field("bits", f"{header.bits:08x}", bits_meaning(header.bits), raw[72:76], 72),
        Field("nonce", header.nonce, "changed until the hash was small enough", raw[76:], 76),
    ]  # fmt: skip
    is_met = int.from_bytes(header.hash, "little") <= decode_bits(header.bits)
    picture = [f"hash    {number}", f"target  {target}"]
    verdict = "the hash is at most the target" if is_met else "the hash is ABOVE the target"
    work = Section("Proof of work", [Field("work", verdict)], picture=picture)
    return [Section("Header", fields), work]


def bits_meaning(bits: int) -> str:
    """A target in compact form, taken apart."""
    return f"the target in short: a number of {bits >> 24} bytes that begins {bits & 0x7FFFFF:06x}"


def _coinbase_section(block: Block, params: Params) -> Section:
    coinbase = block.transactions[0]
    at = HEADER_SIZE + compact_size_length(len(block.transactions))
    inner = transaction_sections(coinbase, Context(params), at) if coinbase.is_coinbase else []
    kept = [each for each in inner if each.title.startswith(("Input", "Output "))]
    return Section("Coinbase", (), kept)


def _commitment_section(block: Block) -> Section:
    """The coinbase's commitment to the witnesses, and whether it is theirs."""
    committed = witness_commitment(block)
    if committed is None:
        return Section("Witness commitment", [Field("commitment", "none")])
    witness = block.transactions[0].inputs[0].witness if block.transactions[0].inputs else ()
    root = witness_merkle_root(block)
    fields = [
        Field("commitment", committed.hex(), "in the coinbase's outputs (BIP 141)"),
        Field("witness root", display_hash(root), "over the wtxids, the coinbase's as zero"),
    ]
    if len(witness) == 1:
        same = sha256d(root + witness[0]) == committed
        fields.append(Field("reserved value", witness[0].hex(), "in the coinbase's witness"))
        fields.append(Field("agrees", "yes" if same else "no", "sha256d of root and value"))
    return Section("Witness commitment", fields)


def _tree_section(block: Block) -> Section:
    """The levels of the merkle tree; drawn where it is small."""
    level = [tx.txid for tx in block.transactions]
    root, mutated = merkle_root(level)
    fields = [
        Field("root", display_hash(root), "worked out from the transactions"),
        Field("agrees", root == block.header.merkle_root, "with the header's"),
    ]
    if mutated:
        fields.append(Field("repeats", True, "two siblings are the same (CVE-2012-2459)"))
    if not 0 < len(level) <= FEW_LEAVES:
        sizes = [len(level)]
        while sizes[-1] > 1:
            sizes.append((sizes[-1] + 1) // 2)
        return Section("Merkle tree", fields, picture=[" → ".join(map(str, sizes)) + " nodes"])
    return Section("Merkle tree", fields, picture=_drawing(level))


def _drawing(level: list[bytes]) -> list[str]:
    """Level by level from the root; a node without a partner is hashed with itself."""
    levels = [level]
    while len(level) > 1:
        even = [*level, level[-1]] if len(level) % 2 else level
        level = [sha256d(even[i] + even[i + 1]) for i in range(0, len(even), 2)]
        levels.append(level)
    lines = []
    for depth, nodes in enumerate(reversed(levels)):
        width = (SHORT + 1) << (len(levels) - 1 - depth)
        lines.append("".join(display_hash(node)[:SHORT].center(width) for node in nodes).rstrip())
    return lines


def _table_section(block: Block, fees: Sequence[int | None]) -> Section:
    rows: list[Sequence[Value]] = []
    for number, tx in enumerate(block.transactions):
        fee = fees[number] if number < len(fees) else None
        value = sum(output.value for output in tx.outputs)
        sizes = tx.weight, len(tx.inputs), len(tx.outputs)
        rows.append([number, display_hash(tx.txid), *sizes, value, fee, _feerate(tx, fee)])
    columns = ["n>", "txid", "weight>", "in>", "out>", "value>", "fee>", "sat/vB>"]
    return Section("Transactions", table=Table(columns, rows))


def _feerate(tx: Transaction, fee: int | None) -> str | None:
    return None if fee is None else f"{fee / tx.vsize:.2f}"
