# Sourced by every stage: strict mode, the root as working folder, and what more than one stage does.
# A stage puts what no other needs under $CI_WORK/scratch.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
: "${CI_WORK:?stages run as: .ci/run NAME}"

# The gate's own checks use the standard library alone, so that they need no environment.
gate() { PYTHONPATH=.ci python3 -m "gate.$1" "${@:2}"; }

# The locked environment of the whole workspace, made once for all the stages that use it.
sync_environment() { uv sync --quiet; }

in_environment() { uv run --no-sync "$@"; }

# What the lock holds, so that environments beside it get the same versions.
constraints() {
    local file=$CI_WORK/constraints.txt
    [[ -e $file ]] || uv export --quiet --all-packages --all-extras --all-groups --no-emit-workspace --no-hashes \
        --no-annotate --no-header --output-file "$file" >/dev/null
    echo "$file"
}

# All wheels and source distributions, built once.
wheelhouse() {
    local folder=$CI_WORK/dist
    [[ -e $folder/.complete ]] || {
        uv build --quiet --all-packages --out-dir "$folder" >&2
        touch "$folder/.complete"
    }
    echo "$folder"
}

# Tests copied to where the source is out of reach, with the root's pytest settings: copy_tests FOLDER TARGET
copy_tests() {
    mkdir -p "$2" && cp -R "$1/tests" "$2/tests" && gate pytest_settings "$2/pytest.ini"
}

# The groups that hold what the tests of a package need: the root's, and the package's own where it has one.
test_groups() {
    echo --group pyproject.toml:test
    if grep -q '^test = ' "$1/pyproject.toml"; then echo --group "$1/pyproject.toml:test"; fi
}
