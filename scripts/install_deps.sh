#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# scripts/install_deps.sh - installs the packages that building and testing need;
# does nothing when they are there.
#
# Where   Debian 12 and Ubuntu 24.04 (same names on both). As root with apt-get, else with sudo
#         if it asks no password; otherwise it prints the line to type and ends with status 1.
# Usage   install_deps.sh [--clang]     --clang adds what `make CC=clang` needs
# Prints  one line when nothing is missing, else what it installs.
set -eu

packages=(
    # compiler and build
    gcc libc6-dev make pkg-config git
    # matrix products, store, files, tokenizer, pictures, hashes: what the program is linked with
    libdnnl-dev libhdf5-dev libyaml-dev libcjson-dev libpcre2-dev libutf8proc-dev
    libjpeg-dev libspng-dev libxxhash-dev libssl-dev zlib1g-dev
    # tests and lint: jq reads what --json prints, groff the manual pages
    libcriterion-dev hdf5-tools jq groff-base clang-format-14 cppcheck
)
if [ "${1:-}" = --clang ]; then
    packages+=(clang libomp-dev)
elif [ $# -ne 0 ]; then
    echo "usage: install_deps.sh [--clang]" >&2
    exit 2
fi

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "install_deps: not Debian or Ubuntu. Install the like of these packages by hand:" >&2
    echo "  ${packages[*]}" >&2
    exit 1
fi

# "ii" = installed; a package that another one provides (libjpeg-dev, pkg-config)
# counts under its own name too.
installed=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' 2>/dev/null | sed -n 's/^ii  *//p')
missing=()
for package in "${packages[@]}"; do
    if ! grep -qxF "$package" <<<"$installed"; then
        missing+=("$package")
    fi
done
if [ ${#missing[@]} -eq 0 ]; then
    echo "install_deps: all ${#packages[@]} packages are there"
    exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        as_root=(sudo -n)
    else
        {
            echo "install_deps: ${#missing[@]} packages are missing, and no right to install. Type:"
            echo "  sudo apt-get update &&" \
                "sudo apt-get install -y --no-install-recommends ${missing[*]}"
        } >&2
        exit 1
    fi
fi

echo "install_deps: installing ${missing[*]}"
"${as_root[@]}" apt-get update -q
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -q --no-install-recommends "${missing[@]}"
echo "install_deps: installed ${#missing[@]} packages"
