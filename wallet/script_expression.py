"""A script expression: a descriptor as a small tree, and the scripts that it stands for.

    wsh(sortedmulti(2,[d34db33f/48h/1h/0h/2h]tpubDC…/<0;1>/*,…))#checksum

Each kind of node knows how to become a script for a branch and an index; `OutputDescriptor` is the
whole line, with the scripts and the keys that a signer needs to know. Does not know who holds which
key, nor how anything is signed. Of taproot's leaves it follows pk and multi_a alone.

Reference: BIP 380 to 387.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from chain import curve
from chain.address import AddressError, address_to_script
from chain.encoding import var_bytes
from chain.hashes import hash160, sha256, tagged_hash
from chain.params import Params
from chain.script import opcodes as op
from chain.script.script import push, push_number
from chain.script.templates import multisig, p2pk, p2pkh, p2sh, p2tr, p2wpkh, p2wsh
from wallet.checksum import add_checksum, split_checksum
from wallet.errors import BadDescriptor, BadDescriptorKey, BadThreshold, MisplacedScript
from wallet.key_expression import DerivedKey, KeyExpression, parse_key

MAX_LENGTH = 10_000  # characters: 20 extended keys with their origins have 4,000
MAX_TREE_DEPTH = 128  # of taproot's leaves (BIP 341)
MAX_SCRIPT_SIZE = 520  # bytes of a redeem script: one push (BIP 16)
# How many keys a multisignature has at most, where it stands; bare ones as nodes relay them.
MAX_KEYS = {"": 3, "sh": 15, "wsh": 20, "tr": 999}
LEAF_VERSION = 0xC0  # of tapscript (BIP 342)


@dataclass(frozen=True)
class Leaf:
    """A leaf of a taproot tree: its script, and the hashes beside the way up to the root."""

    script: bytes
    keys: tuple[DerivedKey, ...]
    way: tuple[bytes, ...] = ()

    @property
    def hash(self) -> bytes:
        """What the tree holds of the leaf."""
        return tagged_hash("TapLeaf", bytes([LEAF_VERSION]) + var_bytes(self.script))


@dataclass(frozen=True)
class Expansion:
    """The scripts at one place: what pays, and what a spender must show."""

    script_pubkey: bytes
    keys: tuple[DerivedKey, ...] = ()
    redeem_script: bytes | None = None
    witness_script: bytes | None = None
    internal_key: bytes | None = None  # of taproot, 32 bytes
    merkle_root: bytes = b""  # of taproot's leaves; empty if there are none
    leaves: tuple[Leaf, ...] = ()
    output_parity: int = 0  # of taproot's output key, for the control blocks


Place = tuple[int, int]  # branch, index
_NO_TREE: tuple[bytes, list[Leaf]] = (b"", [])


@dataclass(frozen=True)
class Node:
    """A part of the tree; `keys` are those that stand in it, in order."""

    name: str
    keys: tuple[KeyExpression, ...] = ()
    inner: "Node | None" = None
    threshold: int = 0
    raw: bytes = b""
    tree: "Tree | None" = None

    def all_keys(self) -> Iterator[KeyExpression]:
        """Every key expression below this part."""
        yield from self.keys
        for part in (self.inner, *_leaves(self.tree)):
            if part is not None:
                yield from part.all_keys()

    def expand(self, index: int, branch: int) -> tuple[Expansion, ...]:
        """The scripts at a place; several only for combo."""
        derived = tuple(key.derive(index, branch) for key in self.keys)
        return _EXPANDERS[self.name](self, derived, (branch, index))


Tree = Node | tuple["Tree", "Tree"]


@dataclass(frozen=True)
class OutputDescriptor:
    """A whole descriptor. Make one with `parse_descriptor`."""

    body: str = field(repr=False)  # as it was written; it may hold private keys
    root: Node = field(repr=False)

    @property
    def branches(self) -> int:
        """How many alternatives `<…>` gives: 2 for receiving and change, 1 without."""
        return max((key.branches for key in self.root.all_keys()), default=1)

    @property
    def is_ranged(self) -> bool:
        """Whether it stands for a script at each index."""
        return any(key.last_step is not None for key in self.root.all_keys())

    @property
    def is_private(self) -> bool:
        """Whether it holds a private key."""
        return any(key.is_private for key in self.root.all_keys())

    def text(self) -> str:
        """The line, with its checksum."""
        return add_checksum(self.body)

    def expand(self, index: int = 0, branch: int = 0) -> Expansion:
        """Scripts and keys at a place (of combo, which has several, the first)."""
        return self.expand_all(index, branch)[0]

    def expand_all(self, index: int = 0, branch: int = 0) -> tuple[Expansion, ...]:
        """All scripts at a place; BadKey if they can't be derived without a private key."""
        return self.root.expand(index, branch)

    def script(self, branch: int, index: int) -> bytes:
        """The scriptPubKey at a place."""
        return self.expand(index, branch).script_pubkey


def parse_descriptor(
    text: str, params: Params, *, is_checksum_required: bool = False
) -> OutputDescriptor:
    """Read a descriptor of a network; a kind of BadDescriptor says what is wrong with it."""
    if len(text) > MAX_LENGTH:
        raise BadDescriptor(f"no descriptor has more than {MAX_LENGTH} characters")
    body = split_checksum(text, is_required=is_checksum_required)
    descriptor = OutputDescriptor(body, _Parser(params).script(body, ""))
    counts = {key.branches for key in descriptor.root.all_keys()} - {1}
    if len(counts) > 1:
        raise BadDescriptorKey("the keys have <…> of different lengths; give each the same")
    return descriptor


class _Parser:
    """Text to tree. `where` is what the expression stands in: nothing, sh, wsh or tr."""

    def __init__(self, params: Params) -> None:
        self.params = params

    def script(self, text: str, where: str) -> Node:
        name, mark, rest = text.partition("(")
        if not mark or not rest.endswith(")"):
            within = f"inside {where}(…)" if where else "a descriptor"
            raise MisplacedScript(f"{within} expected a script such as wpkh(…), not {text[:20]!r}")
        readers: dict[str, tuple[tuple[str, ...], Callable[[str, str, str], Node]]] = {
            "pk": (("", "sh", "wsh", "tr"), self._key_script),
            "pkh": (("", "sh", "wsh"), self._key_script),
            "wpkh": (("", "sh"), self._key_script),
            "combo": (("",), self._key_script),
            "multi": (("", "sh", "wsh"), self._multisig),
            "sortedmulti": (("", "sh", "wsh"), self._multisig),
            "multi_a": (("tr",), self._multisig),
            "sortedmulti_a": (("tr",), self._multisig),
            "sh": (("",), self._wrapped),
            "wsh": (("", "sh"), self._wrapped),
            "tr": (("",), self._taproot),
            "raw": (("",), self._raw),
            "addr": (("",), self._address),
        }
        if name not in readers:
            raise MisplacedScript(f"{name[:20]!r} is no script expression that is followed here")
        allowed, reader = readers[name]
        if where not in allowed:
            raise MisplacedScript(
                f"{name}() cannot stand {'inside ' + where + '()' if where else 'by itself'}"
            )
        return reader(name, rest[:-1], where)

    def _key(self, text: str, where: str, name: str) -> KeyExpression:
        if "(" in text:
            raise MisplacedScript(f"{name}() takes keys, not scripts")
        key = parse_key(text, self.params, is_x_only_allowed=where == "tr")
        if not key.is_compressed and (where in ("wsh", "tr") or name == "wpkh"):
            raise BadDescriptorKey(f"{name}() takes no uncompressed key here; expected 33 bytes")
        return key

    def _key_script(self, name: str, text: str, where: str) -> Node:
        return Node(name, (self._key(text, where, name),))

    def _multisig(self, name: str, text: str, where: str) -> Node:
        threshold, *texts = text.split(",")
        if not (threshold.isascii() and threshold.isdecimal() and len(threshold) <= 3):
            raise BadThreshold(f"{name}() begins with a number of signatures, not {threshold!r}")
        if not 1 <= int(threshold) <= len(texts):
            raise BadThreshold(f"there are no {threshold} signatures of {len(texts)} keys")
        if len(texts) > MAX_KEYS[where]:
            raise BadThreshold(
                f"{len(texts)} keys are too many for {name}() here: at most {MAX_KEYS[where]}"
            )
        keys = tuple(self._key(each, where, name) for each in texts)
        if where == "sh" and sum(len(key.public) + 1 for key in keys) + 3 > MAX_SCRIPT_SIZE:
            raise BadThreshold("the keys together are too long for sh(): use wsh()")
        return Node(name, keys, threshold=int(threshold))

    def _wrapped(self, name: str, text: str, where: str) -> Node:
        return Node(name, inner=self.script(text, name))

    def _taproot(self, name: str, text: str, where: str) -> Node:
        key, mark, tree = text.partition(",")
        found = self._tree(tree, 0) if mark else None
        return Node(name, (self._key(key, "tr", name),), tree=found)

    def _tree(self, text: str, depth: int) -> Tree:
        if depth > MAX_TREE_DEPTH:
            raise MisplacedScript(f"a tree of taproot is at most {MAX_TREE_DEPTH} deep")
        if not text.startswith("{"):
            return self.script(text, "tr")
        level = 0
        for place, character in enumerate(text):
            level += (character in "{(") - (character in "})")
            if character == "," and level == 1 and text.endswith("}"):
                left, right = text[1:place], text[place + 1 : -1]
                return self._tree(left, depth + 1), self._tree(right, depth + 1)
        raise MisplacedScript("a branch of a taproot tree is {left,right}")

    def _raw(self, name: str, text: str, where: str) -> Node:
        try:
            return Node(name, raw=bytes.fromhex(text))
        except ValueError:
            raise BadDescriptor("raw() takes hex digits") from None

    def _address(self, name: str, text: str, where: str) -> Node:
        try:
            return Node(name, raw=address_to_script(text, self.params))
        except AddressError as error:
            raise BadDescriptor(f"in addr(): {error}") from None


# What each kind of node becomes. The keys are derived already.

Keys = tuple[DerivedKey, ...]
Expanded = tuple[Expansion, ...]


def _plain(build: Callable[[bytes], bytes]) -> Callable[[Node, Keys, Place], Expanded]:
    return lambda node, keys, place: (Expansion(build(keys[0].key), keys),)


def _multi(node: Node, keys: Keys, place: Place) -> Expanded:
    publics = [key.key for key in keys]
    if node.name == "sortedmulti":
        publics.sort()
    return (Expansion(multisig(node.threshold, publics), keys),)


def _combo(node: Node, keys: Keys, place: Place) -> Expanded:
    """BIP 384: pk, pkh, and for compressed keys wpkh and sh(wpkh)."""
    key = keys[0].key
    plain = (Expansion(p2pk(key), keys), Expansion(p2pkh(hash160(key)), keys))
    if len(key) != 33:
        return plain
    program = p2wpkh(hash160(key))
    nested = Expansion(p2sh(hash160(program)), keys, redeem_script=program)
    return (*plain, Expansion(program, keys), nested)


def _inside(node: Node, place: Place) -> Expansion:
    if node.inner is None:
        raise AssertionError(f"{node.name} without an inside")
    return node.inner.expand(place[1], place[0])[0]


def _sh(node: Node, keys: Keys, place: Place) -> Expanded:
    inner = _inside(node, place)
    script = inner.script_pubkey
    pays = p2sh(hash160(script))
    return (Expansion(pays, inner.keys, script, inner.witness_script),)


def _wsh(node: Node, keys: Keys, place: Place) -> Expanded:
    inner = _inside(node, place)
    script = inner.script_pubkey
    return (Expansion(p2wsh(sha256(script)), inner.keys, witness_script=script),)


def _raw(node: Node, keys: Keys, place: Place) -> Expanded:
    return (Expansion(node.raw),)


def _tr(node: Node, keys: Keys, place: Place) -> Expanded:
    internal = keys[0].x_only
    root, leaves = _NO_TREE if node.tree is None else _tree(node.tree, place)
    output_key, parity = curve.tweak_public_key(internal, tagged_hash("TapTweak", internal + root))
    every = (keys[0], *(key for leaf in leaves for key in leaf.keys))
    return (
        Expansion(
            p2tr(output_key),
            every,
            internal_key=internal,
            merkle_root=root,
            leaves=tuple(leaves),
            output_parity=parity,
        ),
    )


def _tree(tree: Tree, place: Place) -> tuple[bytes, list[Leaf]]:
    """The merkle root of a tree and its leaves, left to right (BIP 341)."""
    if isinstance(tree, Node):
        keys = tuple(key.derive(place[1], place[0]) for key in tree.keys)
        leaf = Leaf(_leaf_script(tree, [key.x_only for key in keys]), keys)
        return leaf.hash, [leaf]
    (left, left_leaves), (right, right_leaves) = (_tree(part, place) for part in tree)
    leaves = [Leaf(leaf.script, leaf.keys, (*leaf.way, right)) for leaf in left_leaves]
    leaves += [Leaf(leaf.script, leaf.keys, (*leaf.way, left)) for leaf in right_leaves]
    return tagged_hash("TapBranch", min(left, right) + max(left, right)), leaves


def _leaf_script(node: Node, keys: Sequence[bytes]) -> bytes:
    """pk: <key> CHECKSIG; multi_a: <key> CHECKSIG <key> CHECKSIGADD … m NUMEQUAL (BIP 387)."""
    if node.name == "pk":
        return p2pk(keys[0])
    ordered = sorted(keys) if node.name == "sortedmulti_a" else keys
    checks = [bytes([op.OP_CHECKSIG]), *[bytes([op.OP_CHECKSIGADD])] * (len(keys) - 1)]
    script = b"".join(push(key) + check for key, check in zip(ordered, checks, strict=True))
    return script + push_number(node.threshold) + bytes([op.OP_NUMEQUAL])


def _leaves(tree: Tree | None) -> Iterator[Node]:
    if isinstance(tree, Node):
        yield tree
    elif tree is not None:
        for part in tree:
            yield from _leaves(part)


_EXPANDERS: dict[str, Callable[[Node, Keys, Place], Expanded]] = {
    "pk": _plain(p2pk),
    "pkh": _plain(lambda key: p2pkh(hash160(key))),
    "wpkh": _plain(lambda key: p2wpkh(hash160(key))),
    "combo": _combo,
    "multi": _multi,
    "sortedmulti": _multi,
    "sh": _sh,
    "wsh": _wsh,
    "raw": _raw,
    "addr": _raw,
    "tr": _tr,
}
