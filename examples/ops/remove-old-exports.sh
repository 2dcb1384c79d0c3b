#!/usr/bin/env bash
# Removes ledger exports that are older than some days. Destructive: run it behind the guard,
#   portcullis ops run --confirm -- examples/ops/remove-old-exports.sh DIR DAYS
set -euo pipefail
# The guard sets it for a confirmed run.
if [ "${OPS_CONFIRM:-}" != 1 ]; then
  echo "remove-old-exports: run it behind the guard: portcullis ops run --confirm -- $0 DIR DAYS" >&2
  exit 1
fi
if [ $# -ne 2 ] || ! [[ $2 =~ ^[0-9]+$ ]]; then
  echo "usage: remove-old-exports.sh DIR DAYS" >&2
  exit 2
fi
[ -d "$1" ] || { echo "remove-old-exports: $1 is not a folder" >&2; exit 2; }
# Only folders that hold a manifest are exports; nothing else is touched.
find "$1" -mindepth 2 -maxdepth 2 -name manifest.json -mtime "+$2" -printf '%h\0' |
  while IFS= read -r -d '' export; do
    echo "removing $export"
    rm -rf -- "$export"
  done
