#!/usr/bin/env bash
# Brings what several machines built into one folder, with one checksums.txt over all of it: tools/release/gather.sh DIST BUILT...
# Refuses where a file is not what its machine said, or where two machines built the same file differently.
set -euo pipefail
dist=${1:?names the folder to make}
shift
mkdir -p "$dist"
for built in "$@"; do
  (cd "$built" && sha256sum --check --quiet checksums.txt)
  cat "$built/checksums.txt" >>"$dist/.all"
  find "$built" -type f ! -name checksums.txt -exec cp -n {} "$dist/" \;
done
sort -u "$dist/.all" >"$dist/checksums.txt"
rm "$dist/.all"
(cd "$dist" && sha256sum --check --quiet checksums.txt)
