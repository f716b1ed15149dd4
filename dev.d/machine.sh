# shellcheck shell=bash
# The machine: packages, Rust, room on the disk. The only file that installs anything.

packages_of() {
    local group
    for group in "$@"; do
        awk -v group="$group" '$1 == group { print $2 }' "$ROOT/packages.txt"
    done
}

# Whether the libheif that is here has its codecs in packages of their own. None here: the installation finds out.
codecs_apart() {
    pkg-config --atleast-version=1.17 libheif 2>/dev/null
}

# missing_of PACKAGE...: those that are neither installed nor stood in for: a Postgres from another source will do.
missing_of() {
    local package installed
    installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true)
    for package in "$@"; do
        [[ $'\n'$installed$'\n' != *$'\n'"installed $package"$'\n'* ]] || continue
        case $package in
            postgresql) postgres_programs >/dev/null || printf '%s\n' "$package" ;;
            nodejs) command -v node >/dev/null || printf '%s\n' "$package" ;;
            npm) command -v npm >/dev/null || printf '%s\n' "$package" ;;
            redis-server) command -v redis-server >/dev/null || printf '%s\n' "$package" ;;
            libheif-plugin-*) ! apt-cache show "$package" >/dev/null 2>&1 || printf '%s\n' "$package" ;;
            *) printf '%s\n' "$package" ;;
        esac
    done
}

# Runs a command as root, by sudo where we are not; explains when neither is possible.
as_root() {
    if ((EUID == 0)); then
        "$@"
    else
        sudo "$@"
    fi
}

# need_packages GROUP...: one apt-get install for whatever is missing, said aloud; nothing at all when nothing is.
need_packages() {
    command -v apt-get >/dev/null && command -v dpkg-query >/dev/null ||
        fail $MACHINE "this machine has no apt-get; ./dev installs what it needs on Debian 12+ and Ubuntu 24.04+" \
            "Elsewhere, install what packages.txt lists and run the commands CONTRIBUTING.md names."
    local wanted missing
    mapfile -t wanted < <(packages_of "$@")
    ! codecs_apart || mapfile -t -O "${#wanted[@]}" wanted < <(packages_of codec)
    mapfile -t missing < <(missing_of "${wanted[@]}")
    if ((${#missing[@]} == 0)); then
        note "all packages are here"
        return 0
    fi
    may_install "${missing[@]}"
    note "installing with apt-get: ${missing[*]}"
    note "and, if this release has them: $(packages_of codec | tr '\n' ' ')"
    note "(some minutes on a bare machine; what apt-get says goes to .dev/log/apt.log)"
    install_packages "${missing[@]}"
    mapfile -t missing < <(missing_of "${wanted[@]}")
    ((${#missing[@]} == 0)) || fail $MACHINE "apt-get said it was done, but these are not there: ${missing[*]}"
}

may_install() {
    ((EUID == 0)) && return 0
    local by_hand="apt-get install $*"
    command -v sudo >/dev/null ||
        fail $MACHINE "packages are missing, and installing them needs root or sudo" "As root: $by_hand"
    sudo -n true 2>/dev/null && return 0
    [[ -t 0 ]] || fail $MACHINE "packages are missing, and sudo wants a password that nobody is here to type" \
        "Run once by hand: sudo $by_hand"
    note "sudo will ask for your password: packages are missing"
}

# The packages bring servers of the machine's own. Ours are private, so those are neither started now nor at boot;
# servers that were there before are left as they are.
install_packages() {
    local silence=() log
    [[ -z $(missing_of postgresql-common) ]] || silence+=(postgresql)
    [[ -z $(missing_of redis-server) ]] || silence+=(redis-server)
    # The second fetches hundreds of megabytes of signatures as soon as it runs.
    [[ -z $(missing_of clamav-daemon) ]] || silence+=(clamav-daemon clamav-freshclam)
    [[ -z $(missing_of prometheus) ]] || silence+=(prometheus)
    log=$DEV/log/apt.log
    if ! as_root env DEBIAN_FRONTEND=noninteractive bash -c "$APT_PROGRAM" apt "$*" "${silence[*]}" \
        "$(packages_of codec | tr '\n' ' ')" >"$log" 2>&1 </dev/null; then
        tail -n 25 "$log" >&2
        fail $MACHINE "apt-get could not install the packages; all it said is in $log"
    fi
}

# Runs as root. $1 packages, $2 services that must stay silent, $3 packages that only some releases have. policy-rc.d is
# how Debian asks whether a package may start its service; one that is there already is put back.
# shellcheck disable=SC2016 # expanded by the shell that runs it
readonly APT_PROGRAM='
set -eu
policy=/usr/sbin/policy-rc.d kept=/usr/sbin/policy-rc.d.before-crewline
restore() {
    if [ -e "$kept" ]; then mv -f "$kept" "$policy"; else rm -f "$policy"; fi
}
if [ -n "$2" ]; then
    if [ -e "$policy" ] && [ ! -e "$kept" ]; then mv "$policy" "$kept"; fi
    trap restore EXIT
    trap "exit 130" INT TERM HUP
    printf "#!/bin/sh\nexit 101\n" >"$policy"
    chmod 755 "$policy"
fi
apt-get update || echo "the package lists could not all be refreshed; going on with what is there"
known=
for package in $3; do
    if apt-cache show "$package" >/dev/null 2>&1; then known="$known $package"; fi
done
apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 $1 $known
for service in $2; do
    update-rc.d "$service" disable || true
done
'

# The one library whose version decides whether a release is new enough.
need_libheif() {
    local wanted=1.14 version
    version=$(pkg-config --modversion libheif) || fail $MACHINE "pkg-config does not find libheif"
    [[ $(printf '%s\n' "$wanted" "$version" | sort -V | head -n 1) == "$wanted" ]] ||
        fail $MACHINE "this release has libheif $version, and $wanted or newer is needed" \
            "Debian 12 and Ubuntu 24.04 have it; the container image (docker compose up --build) runs anywhere."
}

# Rust by rustup, also when a fresh shell does not have it on its path yet.
need_cargo() {
    if ! command -v cargo >/dev/null && [[ -x ${CARGO_HOME:-$HOME/.cargo}/bin/cargo ]]; then
        PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH
        note "cargo is not on the path; using the one in ${CARGO_HOME:-$HOME/.cargo}/bin"
    fi
    command -v cargo >/dev/null ||
        fail $MACHINE "there is no cargo on this machine (user $(id -un))" \
            "Install Rust, then open a new shell:" \
            "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
    local wanted version
    wanted=$(sed -n 's/^channel *= *"\([0-9]*\.[0-9]*\).*/\1/p' "$ROOT/rust-toolchain.toml")
    version=$(cd "$ROOT" && cargo --version | cut -d' ' -f2) ||
        fail $MACHINE "cargo does not start" "With rustup: rustup toolchain install $wanted"
    [[ $(printf '%s\n' "$wanted" "$version" | sort -V | head -n 1) == "$wanted" ]] ||
        fail $MACHINE "cargo is $version, and this workspace needs $wanted or newer" \
            "rustup picks the right one by itself: https://rustup.rs"
    note "cargo $version"
}

# need_room GIB WHY: refuses before the disk is full, not after.
need_room() {
    local gib=${CREWLINE_DISK_MIN_GIB:-$1} why=$2 path=$3 free_kib
    while [[ ! -e $path ]]; do path=$(dirname "$path"); done
    free_kib=$(df -Pk "$path" | awk 'NR == 2 { print $4 }')
    ((free_kib >= gib * 1024 * 1024)) ||
        fail $MACHINE "the disk under $path has $((free_kib / 1024)) MiB free; $why needs $gib GiB" \
            "Free some, or build elsewhere: CARGO_TARGET_DIR=/some/where ./dev ..." \
            "(CREWLINE_DISK_MIN_GIB sets the limit.)"
}
