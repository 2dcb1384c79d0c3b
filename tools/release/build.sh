#!/usr/bin/env bash
# Builds what a release ships for this machine into dist/: the archive with Node and PostgreSQL inside, its SBOM, checksums.txt, and
# install.sh with the signers written in. What is committed is what is built. Publishes nothing, signs nothing.
#
#   tools/release/build.sh SIGNERS_FILE     allowed signers in the form of ssh-keygen(1), principal `release`
set -euo pipefail
cd "$(dirname "$0")/../.."
signers=$(cat "${1:?names the file of allowed signers}")
case "$signers" in
  release\ *) ;;
  *)
    echo "There is no signer in $1: docs/releasing.md says how to make one." >&2
    exit 1
    ;;
esac

export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
version=$(node -p "require('./package.json').version")
system=$(node -p process.platform)
machine=$(node -p process.arch)
name=portcullis-$version
dist=$PWD/dist
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
mkdir -p "$dist" "$stage/$name"

git archive HEAD bin src contract docs deploy examples package.json package-lock.json README.md CHANGELOG.md SECURITY.md LICENSE |
  tar -x -C "$stage/$name"
find "$stage/$name" \( -name '*.test.ts' -o -name '*.fixture.ts' \) -delete
(cd "$stage/$name" && npm ci --omit=dev --no-audit --no-fund --loglevel=error)
cat >"$stage/$name/portcullis" <<'ENTRY'
#!/bin/sh
# The command, on the Node that came with it.
self=$0
while [ -L "$self" ]; do
  next=$(readlink "$self")
  case "$next" in
    /*) self=$next ;;
    *) self=$(dirname "$self")/$next ;;
  esac
done
here=$(CDPATH='' cd -- "$(dirname -- "$self")" && pwd)
exec "$here/node_modules/.bin/node" --max-semi-space-size=16 --max-old-space-size=512 "$here/bin/portcullis.js" "$@"
ENTRY
chmod 755 "$stage/$name/portcullis"

(cd "$stage/$name" && npm sbom --package-lock-only --omit=dev --sbom-format cyclonedx) >"$dist/$name-$system-$machine.cdx.json"
archive=$name-$system-$machine.tar.gz
tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner -C "$stage" -cf - "$name" |
  gzip -n -6 >"$dist/$archive"
# awk puts the signers in as they are; sed would read what they hold.
SIGNERS=$signers awk '/^signers=/ { printf "signers=\x27%s\x27\n", ENVIRON["SIGNERS"]; next } { print }' install.sh >"$dist/install.sh"
chmod 755 "$dist/install.sh"
(cd "$dist" && sha256sum "$archive" "$name-$system-$machine.cdx.json" install.sh >checksums.txt)
echo "dist/ has $archive, its SBOM, install.sh and checksums.txt"
