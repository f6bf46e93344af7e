#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tests/cli/check.sh - `mip check` on the nano data and on damaged copies of it.
source "$(dirname "$0")/../support/cli.sh"

# A copy to damage, as $work/data.
fresh() {
    rm -rf "$work/data"
    cp -r tests/data/nano "$work/data"
}

expect "the nano data are valid" 0 \
    out='^tests/data/nano: ok: 20 people, 420 questions, 312 training rows, .* 0 breaches$' -- \
    check tests/data/nano
expect "as JSON" 0 out='"ok": true' out='"items": 420' out='"breaches": \[\]' -- \
    check tests/data/nano --json
expect "the demo data are valid" 0 out='^demo/data: ok: ' -- check demo/data

expect "a missing folder" 1 err="$work/none" -- check "$work/none"
expect "a file where a folder should be" 1 err='tests/data/nano/items.jsonl' -- \
    check tests/data/nano/items.jsonl

fresh
sed -i '3s/"question"/"qestion"/' "$work/data/items.jsonl"
expect "a mistyped key is told with file and line" 1 out='/items\.jsonl:3: .*q' \
    err='is not valid: [0-9]+ breaches' -- \
    check "$work/data"
expect "and as JSON" 1 out='"ok": false' out='"file": "items.jsonl"' out='"line": 3' -- \
    check "$work/data" --json

fresh
sed -i -e '5s/.*/{"id": /' -e '9s/.*/[]/' "$work/data/items.jsonl"
expect "all broken lines are told, not only the first" 1 out='/items\.jsonl:5: ' \
    out='/items\.jsonl:9: ' -- \
    check "$work/data"

fresh
picture=$(cd "$work/data" && find images -name '*.png' | sort | head -n 1)
rm "$work/data/$picture"
expect "a missing picture is named" 1 out="$picture" -- check "$work/data"

fresh
head -c 100 "tests/data/nano/$picture" >"$work/data/$picture"
expect "a cut picture is named" 1 out="$picture" -- check "$work/data"

fresh
rm "$work/data/manifest.json"
expect "a missing manifest is named" 1 out='manifest\.json: ' -- check "$work/data"

fresh
sed -i 's/"n": 8/"n": 9/' "$work/data/manifest.json"
expect "a wrong count in the manifest" 1 out='manifest\.json: .*9' -- check "$work/data"

fresh
printf '\xff\xfe\n' >>"$work/data/train.jsonl"
expect "bytes that are no UTF-8" 1 out='/train\.jsonl:313: ' -- check "$work/data"

finish
