# shellcheck shell=bash
# What ./demo, ./test and ./bench share: prerequisites, the list of what is built, progress lines.
# Sourced, never run. The caller has set `set -euo pipefail` and stands in the repository's root.

# ---------------------------------------------------------------------------------------------
# What is built. This is the only list of it.

readonly MUSL_TARGET=x86_64-unknown-linux-musl

# The enclave side, as static binaries. Each line is built by a cargo run of its own: built
# together, packages would share the union of their features, and the production binary would not
# be the one anybody else gets from `cargo build -p quorate-init`.
readonly ENCLAVE_BUILDS=(
    "-p quorate-init"
    "-p quorate-attack"
    "-p quorate-echo"
    "-p quorate-fetch"
    "-p quorate-key-generation"
    "-p quorate-policy"
    "-p quorate-replayer"
    "-p quorate-signing"
    "-p quorate-emulator --bin quorate-init-emulated --no-default-features"
    "-p quorate-test-guest"
)

# The command a person types, for the machine it is built on.
readonly CLI_BUILD="-p quorate"

# Where the binaries are found afterwards.
readonly ENCLAVE_BINARIES="target/$MUSL_TARGET/release"
# shellcheck disable=SC2034  # used by the scripts that source this file
readonly CLI_BINARY="target/release/quorate"

# Wherever this user's environment would put them or for whatever machine: here they are looked for.
unset CARGO_TARGET_DIR CARGO_BUILD_TARGET CARGO_BUILD_TARGET_DIR

build_enclave() {
    local build
    for build in "${ENCLAVE_BUILDS[@]}"; do
        # shellcheck disable=SC2086  # one line holds several arguments
        cargo build --release --locked --target-dir target --target "$MUSL_TARGET" $build
    done
    say "enclave binaries: $ENCLAVE_BINARIES"
}

build_cli() {
    # shellcheck disable=SC2086
    cargo build --release --locked --target-dir target $CLI_BUILD
}

# The enclave image, from locked inputs, in a folder of this checkout.
readonly IMAGE_WORK=target/image-work
readonly IMAGE=target/image/quorate.eif

build_image() {
    "$CLI_BINARY" --plain image fetch
    "$CLI_BINARY" --plain image build --work "$IMAGE_WORK" --out "$(dirname "$IMAGE")"
}

# The verifier for a page: WebAssembly and the script that loads it.
readonly BROWSER_TARGET=wasm32-unknown-unknown
readonly BROWSER_PACKAGE=target/browser-package

build_browser() {
    local package=quorate-verify-wasm
    cargo build --profile browser --locked --target-dir target --target "$BROWSER_TARGET" \
        -p "$package"
    cargo run --quiet --locked --manifest-path oracles/Cargo.toml -p quorate-wasm-package -- \
        "target/$BROWSER_TARGET/browser/${package//-/_}.wasm" "$BROWSER_PACKAGE"
    say "browser package: $BROWSER_PACKAGE"
}

# ---------------------------------------------------------------------------------------------
# Progress lines.

if [[ -t 1 && -z "${NO_COLOR:-}" ]]; then
    BOLD=$'\e[1m' RED=$'\e[31m' GREEN=$'\e[32m' YELLOW=$'\e[33m' PLAIN=$'\e[0m'
    export CARGO_TERM_COLOR="${CARGO_TERM_COLOR:-always}"
else
    BOLD='' RED='' GREEN='' YELLOW='' PLAIN=''
fi

say() { printf '    %s\n' "$*"; }

# die CAUSE REMEDY: what went wrong, what to do about it.
die() {
    printf '%serror:%s %s\n' "$RED" "$PLAIN" "$1" >&2
    printf '  %sdo:%s %s\n' "$BOLD" "$PLAIN" "${2:-see the lines above}" >&2
    exit 1
}

# skip REASON: ends the step that calls it; the summary counts it and repeats the reason.
readonly SKIPPED=77
skip() {
    printf '    %sSKIPPED:%s %s\n' "$YELLOW" "$PLAIN" "$*"
    mkdir -p target
    printf '%s\n' "$*" >"$SKIP_NOTE"
    exit "$SKIPPED"
}

STEPS_PASSED=()
STEPS_SKIPPED=()
readonly SKIP_NOTE=target/skipped-because

# step TITLE REMEDY FUNCTION [ARGUMENT...]: runs one step in a subshell with errexit in force and
# prints its duration. A failed step ends the whole run with its exit code.
step() {
    local title=$1 remedy=$2 started code
    shift 2
    printf '%s==> %s%s\n' "$BOLD" "$title" "$PLAIN"
    started=$(date +%s%N)
    # The subshell must not stand in a condition: there bash would ignore errexit inside it.
    set +e
    (
        set -e
        "$@"
    )
    code=$?
    set -e
    local tenths=$((($(date +%s%N) - started) / 100000000))
    local took="$((tenths / 10)).$((tenths % 10)) s"
    case $code in
    0)
        STEPS_PASSED+=("$title")
        printf '    %sok%s: %s (%s)\n' "$GREEN" "$PLAIN" "$title" "$took"
        ;;
    "$SKIPPED")
        STEPS_SKIPPED+=("$title: $(<"$SKIP_NOTE")")
        ;;
    *)
        printf '\n%sFAILED:%s %s (exit code %d, after %s)\n' \
            "$RED" "$PLAIN" "$title" "$code" "$took" >&2
        printf '  %scause:%s the first error above\n' "$BOLD" "$PLAIN" >&2
        printf '  %sdo:%s %s\n' "$BOLD" "$PLAIN" "$remedy" >&2
        exit "$code"
        ;;
    esac
}

# ---------------------------------------------------------------------------------------------
# Prerequisites.

# Where rustup puts its commands, found also by a shell that was never told.
export PATH="$PATH:${CARGO_HOME:-${HOME:-/root}/.cargo}/bin"

# The compiler version every build uses: rust-toolchain.toml, the one place that names it.
rust_version() { sed -n 's/^channel = "\(.*\)"$/\1/p' rust-toolchain.toml; }

# need COMMAND:DEBIAN_PACKAGE...: all commands exist, or their packages are installed now.
need() {
    local pair missing=()
    for pair in "$@"; do
        command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
    done
    install_packages "${missing[@]}"
}

# A C compiler: the linker driver, and for aws-lc outside the enclave a compiler too. It must find
# the C library's start files and headers, which are a package of their own.
need_linker() {
    local scratch
    scratch=$(mktemp -d)
    if ! printf '#include <stdlib.h>\nint main(void) { return 0; }\n' | cc -x c -o "$scratch/probe" - 2>/dev/null; then
        install_packages gcc libc6-dev
    fi
    rm -rf "$scratch"
}

install_packages() {
    [[ $# -gt 0 ]] || return 0
    command -v apt-get >/dev/null ||
        die "missing packages (Debian's names): $*" "install them with this system's own tool"
    may_install || die "missing packages: $*" "sudo apt-get install $*"
    say "installing: $*"
    apt_update || die "apt-get update failed" "check the network and /etc/apt, then run this again"
    as_root apt-get install -y -qq --no-install-recommends "$@" >/dev/null ||
        die "apt-get could not install: $*" "apt-get install $*"
}

# As root, or where sudo asks nothing.
may_install() { [[ $(id -u) -eq 0 ]] || sudo -n true 2>/dev/null; }

as_root() {
    local sudo=()
    [[ $(id -u) -eq 0 ]] || sudo=(sudo -n)
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive "$@"
}

# Once a run: a fresh machine has no package lists at all.
APT_UPDATED=no
apt_update() {
    [[ $APT_UPDATED == no ]] || return 0
    as_root apt-get update -qq || return
    APT_UPDATED=yes
}

# rustup, the pinned toolchain with its components, and the static target.
need_rust() {
    local version
    version=$(rust_version)
    [[ -n $version ]] || die "rust-toolchain.toml names no channel" "restore it from git"
    command -v rustup >/dev/null || install_rustup
    if ! rustup run "$version" cargo clippy --version >/dev/null 2>&1 ||
        ! rustup run "$version" cargo fmt --version >/dev/null 2>&1; then
        say "installing Rust $version"
        rustup toolchain install "$version" --profile minimal -c clippy -c rustfmt ||
            die "Rust $version could not be installed" \
                "rustup toolchain install $version -c clippy -c rustfmt"
    fi
    need_target "$MUSL_TARGET"
    # A default toolchain set by hand (cargo +x, RUSTUP_TOOLCHAIN) must not win unnoticed.
    [[ "$(cargo --version)" == "cargo $version "* ]] ||
        die "cargo is $(cargo --version), this project is built with $version" \
            "unset RUSTUP_TOOLCHAIN, and let rustup's cargo come first in PATH"
}

# need_target TARGET: the pinned toolchain builds for it.
need_target() {
    local version target=$1
    version=$(rust_version)
    rustup target list --installed --toolchain "$version" | grep -qx "$target" && return
    say "installing the Rust target $target"
    rustup target add --toolchain "$version" "$target" ||
        die "the Rust target $target could not be installed" \
            "rustup target add --toolchain $version $target"
}

# The distribution's own package where there is one, else rustup's installer.
install_rustup() {
    if command -v apt-get >/dev/null && may_install && apt_update &&
        apt-cache policy rustup | grep -q 'Candidate: [^(]'; then
        install_packages rustup
        return
    fi
    need curl:curl
    [[ -e /etc/ssl/certs/ca-certificates.crt ]] || install_packages ca-certificates
    say "installing rustup into ${CARGO_HOME:-$HOME/.cargo} (https://rustup.rs)"
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs |
        sh -s -- -y --no-modify-path --profile minimal --default-toolchain none ||
        die "rustup could not be installed" "install it as https://rustup.rs says, then go on here"
}

# What a build needs, and nothing that only tests need.
need_for_build() {
    [[ "$(uname -sm)" == "Linux x86_64" ]] ||
        die "this is $(uname -sm); Nitro Enclaves images are built and run on Linux x86_64" \
            "use an x86-64 Linux machine"
    need_linker
    # aws-lc for the static target; without it the machine's own headers would be taken.
    need musl-gcc:musl-tools
    need_rust
    say "Rust $(rust_version), target $MUSL_TARGET, $(cc --version | head -n 1)"
}

# What the checks need beyond a build.
need_for_test() {
    need git:git python3:python3 xz:xz-utils setpriv:util-linux softhsm2-util:softhsm2
    python3 -m pip --version >/dev/null 2>&1 || install_packages python3-pip
    say "$(git --version), $(python3 --version), $(python3 -m pip --version | cut -d' ' -f1-2)"
}

# tool NAME: puts a pinned prebuilt tool under target/tools and prints its path. The versions and
# the hashes of the files are in scripts/tools.txt.
tool() {
    local name=$1 folder="target/tools/$1" stamp
    stamp=$(sha256sum scripts/tools.txt | cut -d' ' -f1)
    if [[ "$(cat "$folder/stamp" 2>/dev/null)" != "$stamp" ]]; then
        rm -rf "$folder"
        mkdir -p "$folder"
        sed -n "/^# $name\$/,/^\$/p" scripts/tools.txt >"$folder/requirements.txt"
        python3 -m pip install --quiet --no-deps --require-hashes --only-binary :all: \
            --root-user-action ignore --target "$folder" -r "$folder/requirements.txt" >&2 ||
            die "$name could not be installed" \
                "python3 -m pip install -r scripts/tools.txt, and read what it says"
        echo "$stamp" >"$folder/stamp"
    fi
    printf '%s\n' "$PWD/$folder/bin/$name"
}

# cargo_tool NAME VERSION: builds a tool that comes as source only, under target/tools, and prints
# its path.
cargo_tool() {
    local name=$1 version=$2 folder="target/tools/$1-$2"
    [[ -x "$folder/bin/$name" ]] ||
        cargo install --quiet --locked --root "$folder" --version "$version" "$name" >&2 ||
        die "$name $version could not be built" "cargo install --locked --version $version $name"
    printf '%s\n' "$PWD/$folder/bin/$name"
}
