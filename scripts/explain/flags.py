"""Sets of script rules by name: all that a mempool asks for, what binds blocks, or single ones."""

from chain.script.flags import MANDATORY_FLAGS, STANDARD_FLAGS, ScriptFlag
from scripts.explain.model import ExplainError

SETS = {
    "standard": STANDARD_FLAGS,
    "mandatory": MANDATORY_FLAGS,
    "none": ScriptFlag.NONE,
}


def parse_flags(text: str) -> ScriptFlag:
    """`standard`, `mandatory`, `none`, or names such as `P2SH,WITNESS`; ExplainError otherwise."""
    flags = ScriptFlag.NONE
    for word in text.split(","):
        name = word.strip()
        if name.lower() in SETS:
            flags |= SETS[name.lower()]
        elif name.upper() in ScriptFlag.__members__:
            flags |= ScriptFlag[name.upper()]
        else:
            raise ExplainError(
                f"no script rule is called {name[:40]!r}; give standard, mandatory, none, or "
                f"names with commas between: {', '.join(ScriptFlag.__members__)}"
            )
    return flags


def flags_text(flags: ScriptFlag) -> str:
    """The name of a set, or the names in it."""
    for name, known in SETS.items():
        if flags == known:
            return name
    return ", ".join(str(each.name) for each in flags)
