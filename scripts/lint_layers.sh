#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# scripts/lint_layers.sh - includes go down only, and third-party headers stay in their room.
#
# What    Reads the two tables of host/README.md: "| level | rooms |" and "| header | room |".
#         A file of host/<room> may include "<room>/..." of its own or of a lower level,
#         and <mip/...>.
#         include/mip sees itself; examples/ and cuda/ see <mip/...>; a test plugin sees <mip/...> and cpu/ref*,
#         which it wraps.
# Prints  one line per breach, and the number of includes looked at.
set -u
cd "$(dirname "$0")/.." || exit 1
readonly table=host/README.md

awk_program='
function breach(text) { printf "%s:%d: %s\n", FILENAME, FNR, text; n_breach++ }
function room_of(path,   part) {
    split(path, part, "/")
    return part[1] == "host" ? part[2] : part[1]
}

# The tables.
FILENAME == table {
    if ($0 !~ /^\|/) { next }
    split($0, cell, "|")
    gsub(/^ +| +$/, "", cell[2]); gsub(/^ +| +$/, "", cell[3])
    if (cell[2] ~ /^[0-9]+$/) {
        n = split(cell[3], name, /[ ,]+/)
        for (i = 1; i <= n; i++) { if (name[i] != "") { level[name[i]] = cell[2] + 0 } }
    } else if (cell[2] ~ /^`<.*>`$/) {
        pattern = substr(cell[2], 3, length(cell[2]) - 4)
        n_header++; header[n_header] = pattern; owners[n_header] = " " cell[3] " "
    }
    next
}

FNR == 1 {
    here = room_of(FILENAME)
    if (FILENAME ~ /^host\// && !(here in level)) {
        breach("room " here " is not in the table of " table)
    }
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
    n_include++
    split($0, quoted, "\""); target = quoted[2]
    if (FILENAME ~ /^(include|examples|cuda)\//) {
        if (FILENAME !~ /^cuda\// || target ~ /^(\.\.|host)\//) {
            breach("\"" target "\": only <mip/...> is allowed here")
        }
        next
    }
    if (FILENAME ~ /^tests\/plugins\//) {
        if (target !~ /^cpu\/ref[_.]/) {
            breach("\"" target "\": a test plugin sees <mip/...> and cpu/ref only")
        }
        next
    }
    split(target, part, "/"); to = part[1]
    if (target !~ /\//) { breach("\"" target "\": write the room, \"" here "/" target "\""); next }
    if (!(to in level)) { breach("\"" target "\": no room of this name in " table); next }
    if (to != here && level[to] >= level[here]) {
        breach("\"" target "\": " here " (level " level[here] ") must not see " \
            to " (level " level[to] ")")
    }
    next
}

/^[ \t]*#[ \t]*include[ \t]*</ {
    n_include++
    target = $0; sub(/^[^<]*</, "", target); sub(/>.*/, "", target)
    for (i = 1; i <= n_header; i++) {
        if (index(target, header[i]) == 1 && index(owners[i], " " here " ") == 0) {
            breach("<" target "> belongs to" owners[i] "only")
        }
    }
}

END {
    if (n_header == 0 || length(level) == 0) {
        print table ": the layer tables were not found"
        exit 1
    }
    printf "lint: %d includes follow the layers, %d do not\n", n_include - n_breach, n_breach
    exit n_breach > 0
}'

mapfile -t files < <(find include host examples cuda tests/plugins \
    -name '*.[ch]' -o -name '*.cu' -o -name '*.cuh' 2>/dev/null | sort)
awk -v table="$table" "$awk_program" "$table" "${files[@]}"
