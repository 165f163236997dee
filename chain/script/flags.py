"""Script flags: the rules that came after 2010, one bit each, with Bitcoin Core's names.

A block is held to the flags of the soft forks that were active at its height; a mempool asks for
all of STANDARD_FLAGS. This file does not know at which height a rule began (params) nor what it
means in detail (each is enforced in one place, which names it).
Reference: Core, src/script/interpreter.h and src/policy/policy.h.
"""

from enum import IntFlag


class ScriptFlag(IntFlag):
    """One optional rule each. Those marked consensus bind blocks; the others are policy."""

    NONE = 0
    P2SH = 1 << 0  # consensus, BIP 16: run the script whose hash the output names
    STRICTENC = 1 << 1  # signatures and keys in a defined encoding, defined hash types only
    DERSIG = 1 << 2  # consensus, BIP 66: strict DER signatures
    LOW_S = 1 << 3  # BIP 146: of S and n - S, the smaller one
    NULLDUMMY = 1 << 4  # consensus, BIP 147: what CHECKMULTISIG pops too many must be empty
    SIGPUSHONLY = 1 << 5  # scriptSigs only push
    MINIMALDATA = 1 << 6  # BIP 62: shortest push, shortest number
    DISCOURAGE_UPGRADABLE_NOPS = 1 << 7  # no use of the NOPs that soft forks may redefine
    CLEANSTACK = 1 << 8  # BIP 62: one element is left; needs P2SH and WITNESS
    CHECKLOCKTIMEVERIFY = 1 << 9  # consensus, BIP 65
    CHECKSEQUENCEVERIFY = 1 << 10  # consensus, BIP 112
    WITNESS = 1 << 11  # consensus, BIP 141: segregated witness; needs P2SH
    DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM = 1 << 12  # no witness versions of the future
    MINIMALIF = 1 << 13  # in witness v0, IF takes exactly nothing or 01
    NULLFAIL = 1 << 14  # BIP 146: a signature that fails must be empty
    WITNESS_PUBKEYTYPE = 1 << 15  # in witness v0, compressed keys only
    CONST_SCRIPTCODE = 1 << 16  # no OP_CODESEPARATOR and no FindAndDelete hit before segwit
    TAPROOT = 1 << 17  # consensus, BIPs 341 and 342; needs WITNESS
    DISCOURAGE_UPGRADABLE_TAPROOT_VERSION = 1 << 18  # no unknown leaf versions
    DISCOURAGE_OP_SUCCESS = 1 << 19  # no opcodes kept for soft forks within tapscript
    DISCOURAGE_UPGRADABLE_PUBKEYTYPE = 1 << 20  # no unknown kinds of keys in tapscript


# The same as plain integers, for the machine: `int & IntFlag` costs a microsecond each time.
P2SH, STRICTENC, DERSIG, LOW_S, NULLDUMMY = (1 << bit for bit in range(5))
SIGPUSHONLY, MINIMALDATA, DISCOURAGE_UPGRADABLE_NOPS, CLEANSTACK = (1 << bit for bit in range(5, 9))
CHECKLOCKTIMEVERIFY, CHECKSEQUENCEVERIFY, WITNESS = 1 << 9, 1 << 10, 1 << 11
DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM, MINIMALIF, NULLFAIL = 1 << 12, 1 << 13, 1 << 14
WITNESS_PUBKEYTYPE, CONST_SCRIPTCODE, TAPROOT = 1 << 15, 1 << 16, 1 << 17
DISCOURAGE_UPGRADABLE_TAPROOT_VERSION, DISCOURAGE_OP_SUCCESS = 1 << 18, 1 << 19
DISCOURAGE_UPGRADABLE_PUBKEYTYPE = 1 << 20

# What every block of today must obey (Core: MANDATORY_SCRIPT_VERIFY_FLAGS).
MANDATORY_FLAGS = ScriptFlag(
    P2SH | DERSIG | NULLDUMMY | CHECKLOCKTIMEVERIFY | CHECKSEQUENCEVERIFY | WITNESS | TAPROOT
)
# What a mempool asks for (Core: STANDARD_SCRIPT_VERIFY_FLAGS): everything but SIGPUSHONLY, which a
# standard transaction has satisfied before its scripts are run.
STANDARD_FLAGS = ScriptFlag((1 << 21) - 1) & ~ScriptFlag.SIGPUSHONLY
