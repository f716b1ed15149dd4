#!/usr/bin/env bash
# Fetches the libraries of those who send webhooks, oidc-provider, at which people sign in, axe-core, which judges pages, and schemathesis, which asks an API whether it is
# what it says it is: the tests hold us against them. Exactly the versions that are written down, with their hashes. They lie in the cache of whoever calls this, for every clone of theirs; .dev/vendors leads there.
# Does nothing when they are there. ./dev test calls it, and so do the tests.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
FROM=$ROOT/crates/webhooks/tests/vendors
WRITTEN_DOWN=$(cat "$FROM/node/package-lock.json" "$FROM"/{python,contract}/requirements.txt | sha256sum | cut -c1-16)
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
    echo "npm fetches axe-core, oidc-provider and the libraries of Stripe, Twilio, Svix, Standard Webhooks, SNS and Web Push (a minute or two)"
    mkdir -p "$TO/node"
    cp "$FROM/node/package.json" "$FROM/node/package-lock.json" "$FROM/node/.npmrc" "$TO/node/"
    (cd "$TO/node" && npm ci --ignore-scripts --prefer-offline --no-audit --no-fund 8>&-)
    cp "$FROM/node/package-lock.json" "$TO/node/fetched"
fi
# from_pypi PART WHAT: into a place of its own, what the PART needs.
from_pypi() {
    fetched "$1" requirements.txt && return
    echo "pip fetches $2"
    rm -rf "${TO:?}/$1"
    python3 -m venv "$TO/$1"
    "$TO/$1/bin/pip" install --no-deps --only-binary :all: --require-hashes --disable-pip-version-check \
        -r "$FROM/$1/requirements.txt" 8>&-
    cp "$FROM/$1/requirements.txt" "$TO/$1/fetched"
}

from_pypi python "the libraries of Stripe, Twilio and Standard Webhooks"
from_pypi contract schemathesis
