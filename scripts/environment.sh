# Sourced by scripts/testnet and scripts/test: makes .venv beside setup.cfg and installs Farthing in it.
# A stamp remembers what was installed, so that later runs start at once.
# Usage: farthing_environment EXTRAS     (EXTRAS: "" or "[test]")

farthing_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "farthing: Python 3.11, 3.12 or 3.13 is needed and was not found; install one, or name it with PYTHON=/path/to/python" >&2
    return 1
}

farthing_environment() {
    local extras=$1 root python stamp wanted complete
    root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
    VENV="$root/.venv"
    # What has the extras has the rest.
    complete="$VENV/.installed[test]"
    stamp="$VENV/.installed$extras"
    wanted=$(cksum < "$root/setup.cfg")
    [ "$(cat "$complete" 2>/dev/null)" != "$wanted" ] || return 0
    if [ ! -x "$VENV/bin/python" ]; then
        python=$(farthing_python) || return 1
        echo "farthing: making $VENV (once)" >&2
        "$python" -m venv "$VENV" || return 1
    fi
    if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$wanted" ]; then
        echo "farthing: installing into $VENV (once, a minute)" >&2
        # editable_mode=compat: one path entry in place of an import hook, so that start-up stays quick.
        "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check \
            --config-settings editable_mode=compat --editable "$root$extras" || {
            echo "farthing: the installation failed; see pip's lines above. Is the package index reachable?" >&2
            return 1
        }
        echo "$wanted" > "$stamp"
    fi
}
