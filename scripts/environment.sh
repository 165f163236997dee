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
    root=$(CDPATH='' cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
    VENV="$root/.venv"
    # What has the extras has the rest.
    complete="$VENV/.installed[test]"
    stamp="$VENV/.installed$extras"
    # With the place: a folder that was moved holds the old paths.
    wanted="$root $(cksum < "$root/setup.cfg")"
    if [ ! -x "$VENV/bin/python" ]; then
        python=$(farthing_python) || return 1
        echo "farthing: making $VENV (once)" >&2
        rm -rf "$VENV"
        "$python" -m venv "$VENV" || {
            rm -rf "$VENV"
            echo "farthing: $python could not make $VENV; see its lines above (on Debian and Ubuntu: apt install python3-venv)" >&2
            return 1
        }
    fi
    if [ "$(cat "$complete" 2>/dev/null)" != "$wanted" ] && [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
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
