#!/usr/bin/env bash
# Signs checksums.txt: tools/release/sign.sh KEY_FILE DIST. The key is an SSH key of its own for releases (docs/releasing.md).
set -euo pipefail
key=${1:?names the file of the signing key}
dist=${2:?names the folder with checksums.txt}
rm -f "$dist/checksums.txt.sig"
ssh-keygen -q -Y sign -f "$key" -n portcullis-release "$dist/checksums.txt"
