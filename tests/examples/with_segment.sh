#!/usr/bin/env bash
# Runs a command with the name of a segment that is its own as first argument behind it, and
# nothing on standard input: what the examples are run with as tests.
#
#   with_segment.sh COMMAND [ARGUMENT]... -- [ARGUMENT]...
set -u
segment=test.example.$$
trap 'rm -f "/dev/shm/shmreg.$segment"' EXIT
command=()
while [ "$1" != -- ]; do
  command+=("$1")
  shift
done
shift
"${command[@]}" "$segment" "$@" </dev/null
