#!/usr/bin/env bash
# Fetches the libraries of those who send webhooks, and axe-core, which judges pages: the tests hold us against them. Exactly
# the versions that are written down, with their hashes. They lie in the cache of whoever calls this, for every clone of theirs; .dev/vendors leads there.
# Does nothing when they are there. ./dev test calls it, and so do the tests.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
FROM=$ROOT/crates/webhooks/tests/vendors
WRITTEN_DOWN=$(cat "$FROM/node/package-lock.json" "$FROM/python/requirements.txt" | sha256sum | cut -c1-16)
TO=${XDG_CACHE_HOME:-$HOME/.cache}/crewline/vendors/$WRITTEN_DOWN
mkdir -p "$TO" "$ROOT/.dev"
exec 8>"$TO/lock"
flock 8
ln -sfn "$TO" "$ROOT/.dev/vendors"

# fetched PART FILE: whether PART was made from FILE as it is now.
fetched() {
    cmp -s "$FROM/$1/$2" "$TO/$1/fetched"
}

if ! fetched node package-lock.json; then
    echo "npm fetches axe-core and the libraries of Stripe, Twilio, Svix, Standard Webhooks, SNS and Web Push (a minute or two)"
    mkdir -p "$TO/node"
    cp "$FROM/node/package.json" "$FROM/node/package-lock.json" "$FROM/node/.npmrc" "$TO/node/"
    (cd "$TO/node" && npm ci --ignore-scripts --prefer-offline --no-audit --no-fund 8>&-)
    cp "$FROM/node/package-lock.json" "$TO/node/fetched"
fi
if ! fetched python requirements.txt; then
    echo "pip fetches the libraries of Stripe, Twilio and Standard Webhooks"
    rm -rf "$TO/python"
    python3 -m venv "$TO/python"
    "$TO/python/bin/pip" install --no-deps --only-binary :all: --require-hashes --disable-pip-version-check \
        -r "$FROM/python/requirements.txt" 8>&-
    cp "$FROM/python/requirements.txt" "$TO/python/fetched"
fi
