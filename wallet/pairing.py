"""Pairs of descriptors: receiving (`…/0/*`) and change (`…/1/*`) apart, joined into one account.

So they are written by Bitcoin Core's listdescriptors, Sparrow and BDK; BIP 389 writes both as one,
`…/<0;1>/*`. Halves that do not belong together are refused: change would go where nobody looks.
Does not know which file they come from.
"""

import re
from collections.abc import Sequence

from chain.params import Params
from wallet.account import CHANGE, RECEIVE, Account
from wallet.checksum import add_checksum
from wallet.errors import BadDescriptor

_HALF = re.compile(r"/([01])/\*(?=[,)}])")
_KEY = re.compile(r"(?:\[[^]]*\])?[A-Za-z0-9]{20,}")
NAMES = {RECEIVE: "receiving", CHANGE: "change"}


def accounts_of(texts: Sequence[str], params: Params, gap_limit: int) -> list[Account]:
    """The accounts of descriptors with their checksums, pairs joined; what comes twice counts once.

    BadDescriptor says which can't be followed, or which halves have no other half.
    """
    single = [Account.parse(text, params, gap_limit) for text in texts]
    found = {_normal(account.descriptor.body): account for account in single}
    if len(found) == 1:
        return list(found.values())
    halves: dict[str, set[int]] = {}
    accounts: dict[str, Account] = {}
    for body, account in found.items():
        branch = _branch(body)
        whole = body if branch is None else _HALF.sub("/<0;1>/*", body)
        if branch is None:
            accounts[whole] = account
        elif whole not in accounts:
            accounts[whole] = Account.parse(add_checksum(whole), params, gap_limit)
        halves.setdefault(whole, set()).update(NAMES if branch is None else {branch})
    alone = [(whole, branches.pop()) for whole, branches in halves.items() if len(branches) == 1]
    if alone:
        raise BadDescriptor(_complaint(*alone[0], [whole for whole, _ in alone[1:]]))
    return list(accounts.values())


def _normal(body: str) -> str:
    """Hardened steps are written in two ways."""
    return body.replace("'", "h")


def _branch(body: str) -> int | None:
    """Which half it is; None for one that is whole, or of another form."""
    found = {int(digit) for digit in _HALF.findall(body)}
    return found.pop() if len(found) == 1 and body.count("*") == len(_HALF.findall(body)) else None


def _complaint(whole: str, branch: int, others: Sequence[str]) -> str:
    """Why a half has no other half."""
    other = 1 - branch
    wanted = f"expected the same descriptor with /{other}/*, for {NAMES[other]}"
    shown = f"{_HALF.sub('', whole)[:12]}…/{branch}/*, for {NAMES[branch]},"
    if not others:
        return f"{shown} stands alone: {wanted}; export both from the wallet that has the keys"
    near = next((each for each in others if _form(each) == _form(whole)), others[0])
    if _form(near) != _form(whole):
        why = f"the other is {_form(near)[:30]}"
    else:
        pairs = zip(_KEY.findall(whole), _KEY.findall(near), strict=True)
        mine, theirs = next((a, b) for a, b in pairs if a != b)
        same_key = mine.rpartition("]")[2] == theirs.rpartition("]")[2]
        why = f"the other has {'another origin' if same_key else 'another key'}: {theirs[:30]}…"
    return f"{shown} has no other half, {why}; {wanted}"


def _form(whole: str) -> str:
    """A descriptor without its keys: `wsh(sortedmulti(2,…,…))`."""
    return _HALF.sub("", _KEY.sub("…", whole)).replace("/<0;1>/*", "")
