#!/bin/sh
# Installs a release of Portcullis for one user: downloads the archive for this machine, verifies the signature of the checksums and
# the checksum of the archive, unpacks it, and links the command. Changes nothing outside the two folders below.
#
#   PORTCULLIS_VERSION   the release, such as 1.2.3 (default: the latest)
#   PORTCULLIS_HOME      where releases are unpacked (default: ~/.local/share/portcullis)
#   PORTCULLIS_BIN       where the command is linked (default: ~/.local/bin)
#   PORTCULLIS_SIGNERS   a file of allowed signers in the form of ssh-keygen(1), in place of those written down here
#   GITHUB_TOKEN         optional: only against the rate limit of the API. A fine-grained token with `contents: read` is enough.
set -eu

repository=${PORTCULLIS_REPOSITORY:-portcullis/portcullis}
api=${PORTCULLIS_API:-https://api.github.com}
downloads=${PORTCULLIS_DOWNLOADS:-https://github.com/$repository/releases/download}
home=${PORTCULLIS_HOME:-$HOME/.local/share/portcullis}
bin=${PORTCULLIS_BIN:-$HOME/.local/bin}
token=${GITHUB_TOKEN:-}
# Who may sign releases; a release writes its signers in here.
signers=''

say() { printf '%s\n' "INFO  $*"; }
warn() { printf '%s\n' "WARN  $*" >&2; }
fail() {
  printf '%s\n' "ERROR $1" >&2
  [ $# -lt 2 ] || printf '%s\n' "      to do: $2" >&2
  exit 1
}

for needed in curl tar ssh-keygen; do
  command -v "$needed" >/dev/null 2>&1 || fail "$needed is not installed." "Install it with the package manager of this system."
done
case "$token" in
  *[!A-Za-z0-9_]*) fail 'GITHUB_TOKEN holds characters that no token has.' 'Unset it, or set it to the token alone.' ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# fetch URL FILE BYTES [HEADERS]: bounded in time and size; only https, unless a place of one's own is named. The token reaches curl
# on its standard input: arguments are visible to every user of the machine.
fetch() {
  case "$1" in
    https://* | http://127.0.0.1:*) ;;
    *) fail "$1 is not fetched: only https is." ;;
  esac
  set -- "$1" "$2" "$3" "${4:-/dev/null}"
  {
    if [ -n "$token" ]; then printf 'header = "Authorization: Bearer %s"\n' "$token"; fi
  } | curl --config - --fail --silent --show-error --location --proto '=https,http' --proto-redir '=https' \
    --connect-timeout 10 --max-time 600 --retry 2 --max-filesize "$3" --dump-header "$4" --output "$2" "$1"
}

# A token that may do more than read is used all the same, and said.
if [ -z "$token" ]; then
  say 'GITHUB_TOKEN is not set, and none is needed.'
else
  if fetch "$api/user" "$work/user" 1048576 "$work/headers" 2>/dev/null; then
    scopes=$(tr -d '\r' <"$work/headers" | sed -n 's/^[Xx]-[Oo][Aa]uth-[Ss]copes: *//p' | tail -n 1)
    broad=$(printf '%s' "$scopes" | tr ', ' '\n\n' | grep -E '^(repo|delete_repo|admin:.*)$' | tr '\n' ' ' || true)
    if [ -n "$broad" ]; then
      warn "GITHUB_TOKEN may do far more than this needs (${broad% }). A fine-grained token with \`contents: read\` is enough."
    fi
  else
    warn 'The scopes of GITHUB_TOKEN could not be read; it is used all the same.'
  fi
fi

case "$(uname -s)" in
  Linux) system=linux ;;
  Darwin) system=darwin ;;
  *) fail "There is no release for $(uname -s)." ;;
esac
case "$(uname -m)" in
  x86_64 | amd64) machine=x64 ;;
  aarch64 | arm64) machine=arm64 ;;
  *) fail "There is no release for $(uname -m)." ;;
esac

version=${PORTCULLIS_VERSION:-}
if [ -z "$version" ]; then
  fetch "$api/repos/$repository/releases/latest" "$work/latest" 1048576 ||
    fail 'The latest release could not be asked for.' 'Set PORTCULLIS_VERSION, or GITHUB_TOKEN where the rate limit is used up.'
  version=$(sed -n 's/.*"tag_name": *"v\([^"]*\)".*/\1/p' "$work/latest" | head -n 1)
fi
case "$version" in
  '' | *[!0-9A-Za-z.-]*) fail 'That is no version.' 'Set PORTCULLIS_VERSION to one such as 1.2.3.' ;;
esac

archive=portcullis-$version-$system-$machine.tar.gz
say "Fetching $archive"
for file in checksums.txt checksums.txt.sig "$archive"; do
  fetch "$downloads/v$version/$file" "$work/$file" 1073741824 ||
    fail "$file of release $version could not be fetched." 'Look whether that release is there for this system.'
done

if [ -n "${PORTCULLIS_SIGNERS:-}" ]; then
  cp "$PORTCULLIS_SIGNERS" "$work/signers"
elif [ -n "$signers" ]; then
  printf '%s\n' "$signers" >"$work/signers"
else
  fail 'This script knows nobody who signs releases.' 'Take the install.sh of a release, or name a file with PORTCULLIS_SIGNERS.'
fi
ssh-keygen -Y verify -f "$work/signers" -I release -n portcullis-release -s "$work/checksums.txt.sig" \
  <"$work/checksums.txt" >/dev/null 2>&1 || fail 'The signature of checksums.txt is wrong. Nothing was installed.' 'Report it: see SECURITY.md.'

wanted=$(sed -n "s/^\([0-9a-f]\{64\}\)  $archive\$/\1/p" "$work/checksums.txt")
if command -v sha256sum >/dev/null 2>&1; then
  found=$(sha256sum "$work/$archive" | cut -d ' ' -f 1)
else
  found=$(shasum -a 256 "$work/$archive" | cut -d ' ' -f 1)
fi
[ -n "$wanted" ] || fail "checksums.txt does not name $archive. Nothing was installed."
[ "$wanted" = "$found" ] || fail "The checksum of $archive is wrong. Nothing was installed." 'Try again; if it stays, report it: see SECURITY.md.'
say 'Signature and checksum are right.'

mkdir -p "$home" "$bin"
mkdir "$work/unpacked"
tar -xzf "$work/$archive" -C "$work/unpacked"
rm -rf "$home/.new-$version"
mv "$work/unpacked/portcullis-$version" "$home/.new-$version"
rm -rf "${home:?}/$version"
mv "$home/.new-$version" "$home/$version"
ln -sfn "$home/$version/portcullis" "$bin/portcullis"
say "Installed $("$bin/portcullis" --version) as $bin/portcullis"
case ":$PATH:" in
  *":$bin:"*) ;;
  *) say "Add $bin to PATH to call it by name." ;;
esac
