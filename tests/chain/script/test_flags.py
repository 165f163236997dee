"""Flags: names and bits are Core's."""

from chain.script import flags
from chain.script.flags import MANDATORY_FLAGS, STANDARD_FLAGS, ScriptFlag

NAMES = (
    "P2SH STRICTENC DERSIG LOW_S NULLDUMMY SIGPUSHONLY MINIMALDATA DISCOURAGE_UPGRADABLE_NOPS "
    "CLEANSTACK CHECKLOCKTIMEVERIFY CHECKSEQUENCEVERIFY WITNESS "
    "DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM MINIMALIF NULLFAIL WITNESS_PUBKEYTYPE CONST_SCRIPTCODE "
    "TAPROOT DISCOURAGE_UPGRADABLE_TAPROOT_VERSION DISCOURAGE_OP_SUCCESS "
    "DISCOURAGE_UPGRADABLE_PUBKEYTYPE"
).split()


def test_names_and_bits() -> None:
    assert {flag.name: flag.value for flag in ScriptFlag} == {
        name: 1 << bit for bit, name in enumerate(NAMES)
    }
    assert int(ScriptFlag.NONE) == 0


def test_the_plain_integers_are_the_flags() -> None:
    for flag in ScriptFlag:
        plain = getattr(flags, str(flag.name))
        assert type(plain) is int
        assert plain == flag


def test_what_binds_blocks_and_what_a_mempool_wants() -> None:
    assert MANDATORY_FLAGS == 0x20E15
    assert STANDARD_FLAGS == 0x1FFFDF
    assert ScriptFlag.SIGPUSHONLY not in STANDARD_FLAGS
