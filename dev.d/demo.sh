# shellcheck shell=bash
# The demonstration: three photographs through the public API, looked at from the outside and in the ledger.

demonstrate() { :; }
call() { :; }
tell_addresses() { :; }
