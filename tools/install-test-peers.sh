#!/usr/bin/env bash
# What the full tests need beyond npm: real peers from Debian's packages. Everything else needs only `npm ci`.
set -euo pipefail
# libprotobuf-dev holds google/protobuf/descriptor.proto, which the contract imports and protoc does not bring.
packages=(
  protobuf-compiler protobuf-compiler-grpc libprotobuf-dev python3 python3-grpcio python3-protobuf
  python3-authlib python3-requests curl git openssh-client chromium fonts-dejavu-core redis-server nats-server faketime rsyslog rsyslog-gnutls prometheus caddy
)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi
