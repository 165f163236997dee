"""The door: `farthing` on the command line and `python -m farthing`.

The four packages have everyday names (chain, wallet, node, scripts), so another project's package
of the same name may come first on the path. This module notices and says so in one line.
"""

import sys

PACKAGES = ("chain", "wallet", "node", "scripts")


def foreign_package() -> str | None:
    """One sentence about the first package that is not ours, or None when all four are."""
    # lazy: Ctrl-C is answered from here on, not yet while this file is read
    from importlib.util import find_spec
    from pathlib import Path

    home = Path(__file__).resolve().parent
    for name in PACKAGES:
        spec = find_spec(name)
        origin = Path(spec.origin).resolve() if spec and spec.origin else None
        if origin != home / name / "__init__.py":
            return (
                f"farthing: the package '{name}' found at {origin or 'no place'} is not Farthing's "
                f"({home / name}); install Farthing into an environment of its own"
            )
    return None


def main() -> None:
    """Run the command line; one line and exit code 1 when a foreign package is in the way."""
    try:
        complaint = foreign_package()
        if complaint is not None:
            sys.exit(complaint)
        # lazy: a foreign `scripts` must be noticed before it is imported
        from scripts.cli.main import main as command_line

        command_line()
    except KeyboardInterrupt:  # while modules are being read; later ones come out as exit codes
        sys.exit(130)


if __name__ == "__main__":
    main()
