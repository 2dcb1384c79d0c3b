#!/usr/bin/env bash
# A release without publishing: builds, signs with a key made for this once, serves it on loopback, installs it from there with
# install.sh, and runs what was installed. Leaves dist/ for a look.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
# Started as root, PostgreSQL runs as another user, who passes through.
chmod 711 "$work"
server=''
trap 'rm -rf "$work"; [ -z "$server" ] || kill "$server"' EXIT

ssh-keygen -q -t ed25519 -N '' -C rehearsal -f "$work/key"
printf 'release %s\n' "$(cut -d ' ' -f 1-2 "$work/key.pub")" >"$work/signers"
rm -rf dist
tools/release/build.sh "$work/signers"
mv dist "$work/built"
tools/release/gather.sh dist "$work/built"
tools/release/sign.sh "$work/key" dist

version=$(node -p "require('./package.json').version")
mkdir -p "$work/served"
ln -s "$PWD/dist" "$work/served/v$version"
node tools/release/serve.ts "$work/served" >"$work/address" &
server=$!
until [ -s "$work/address" ]; do
  kill -0 "$server"
  sleep 0.1
done

env -u GITHUB_TOKEN HOME="$work/home" PORTCULLIS_VERSION="$version" PORTCULLIS_DOWNLOADS="$(cat "$work/address")" sh dist/install.sh
installed=$("$work/home/.local/bin/portcullis" --version)
[ "$installed" = "$version" ]
"$work/home/.local/bin/portcullis" verify --repo . --fail-on critical >"$work/verified" || { cat "$work/verified"; exit 1; }
mkfifo "$work/said"
env PORTCULLIS__LISTEN__GRPC=127.0.0.1:0 PORTCULLIS__LISTEN__HTTP=127.0.0.1:0 PORTCULLIS__LISTEN__MANAGEMENT=127.0.0.1:0 \
  "$work/home/.local/bin/portcullis" up --json --dir "$work/data" >"$work/said" &
started=$!
read -r ready <"$work/said"
kill -TERM "$started"
wait "$started"
case "$ready" in
  '{"event":"ready"'*) ;;
  *)
    echo "What was installed did not start: $ready" >&2
    exit 1
    ;;
esac
echo "rehearsed: $version was built, signed, installed and run; nothing was published"
