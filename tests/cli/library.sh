#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tests/cli/library.sh - `make install` into a folder, and what is there: the example program built
# with pkg-config against it gives the paths of `mip attribute`; manual pages; bash completion.
source "$(dirname "$0")/../support/cli.sh"
export MIP_THREADS=1 OMP_WAIT_POLICY=passive
prefix=$work/prefix
variant=$(basename "$(dirname "$MIP")")

# --- install --------------------------------------------------------------------------------------
verdict "make install" make --no-print-directory VARIANT="$variant" PREFIX="$prefix" install
for file in bin/mip lib/libmip.a lib/libmip.so lib/pkgconfig/mip.pc include/mip/mip.h \
    include/mip/backend.h share/man/man1/mip.1 share/man/man5/mip-config.5 \
    share/bash-completion/completions/mip share/doc/mip/LICENSE; do
    verdict "$file is installed" test -s "$prefix/$file"
done
verdict "the installed program runs" "$prefix/bin/mip" version
verdict "the shared library has its versioned name" bash -c \
    "readelf -d '$prefix/lib/libmip.so' | grep -q 'SONAME.*libmip\.so\.[0-9]*\]'"
foreign=$(nm -D --defined-only "$prefix/lib/libmip.so" | awk '{print $3}' |
    grep -vE '^mip_|^\.gomp_critical')
result "it shows mip_ names only" "$foreign"
declared=$(sed -nE 's/^MIP_API .*[ *](mip_[a-z_]+)\(.*/\1/p' include/mip/*.h | sort)
shown=$(nm -D --defined-only "$prefix/lib/libmip.so" | awk '$2 == "T" {print $3}' | sort)
verdict "and all that the headers declare" test "$declared" = "$shown"
foreign=$(nm -g --defined-only "$prefix/lib/libmip.a" | awk 'NF == 3 {print $3}' |
    grep -vE '^mip_|^\.gomp_critical')
result "so does the archive" "$foreign"
staged=$work/stage
verdict "DESTDIR is put before PREFIX" make --no-print-directory VARIANT="$variant" \
    DESTDIR="$staged" PREFIX=/opt/mip install
verdict "and mip.pc has the PREFIX alone" grep -qx 'prefix=/opt/mip' \
    "$staged/opt/mip/lib/pkgconfig/mip.pc"

# --- the example, as a stranger builds it ---------------------------------------------------------
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
warnings="-std=c11 -Wall -Wextra -Wconversion -Werror"
verdict "pkg-config knows the version" test \
    "$(pkg-config --modversion mip)" = "$("$MIP" --version | sed 's/^mip //;q')"
# shellcheck disable=SC2046,SC2086 # words of a command line
verdict "the example builds against the shared library" \
    cc $warnings -o "$work/shared" examples/attribute.c $(pkg-config --cflags --libs mip)
# shellcheck disable=SC2046,SC2086
verdict "and against the archive" cc $warnings -Wl,--as-needed -o "$work/static" \
    examples/attribute.c $(pkg-config --cflags mip) "$prefix/lib/libmip.a" \
    $(pkg-config --static --libs mip)
verdict "which then needs no libmip.so" bash -c "! readelf -d '$work/static' | grep -q libmip"
echo '#include <mip/mip.h>
#include <mip/backend.h>
int main() { return mip_version() == MIP_VERSION ? 0 : 1; }' >"$work/plus.cc"
if command -v c++ >/dev/null; then
    # shellcheck disable=SC2046
    verdict "the headers are C++, too" c++ -std=c++11 -Wall -Werror -o "$work/plus" "$work/plus.cc" \
        $(pkg-config --cflags --libs mip)
else
    skip "the headers are C++, too" "no C++ compiler"
fi

# --- and runs: the same paths as the store of mip attribute ---------------------------------------
run=$work/run
expect "mip attribute" 0 -- attribute tests/cli/configs/nano.yaml --set output="$run" \
    --set attribute.quadrature=radau3 --set attribute.keep=0
i_sample=$(h5dump -d /sample/id -w 0 "$run/attribution.h5" |
    grep -o '"nano[^"]*"' | grep -n '/img/' | head -n 1 | cut -d: -f1)
id=$(h5dump -d /sample/id -w 0 "$run/attribution.h5" | grep -o '"nano[^"]*"' |
    sed -n "${i_sample}p" | tr -d '"')
verdict "a sample with a picture was found" test -n "$id"
row=$(grep "\"id\":\"$id\"" tests/data/nano/train.jsonl)
field() {
    jq -r ".$1" <<<"$row"
}
picture=tests/data/nano/$(field 'images[0]')
answer=$(jq -r .answer_prefix tests/data/nano/manifest.json; echo x)
answer=${answer%?x}$(field answer_text)
ask=("$tiny/model" "$(field question)" "$answer" "$picture")

# stored MODALITY: "neuron neuron ..." of the sample, a line per layer.
stored() {
    h5dump -d "/$1/path" -s "$((i_sample - 1)),0,0" -c "1,$2,5" -y -w 0 "$run/attribution.h5" |
        sed -nE 's/^ *([0-9]+(, [0-9]+)*),?$/\1/p' | tr -d ','
}
printed() {
    sed -nE "s/^$1 layer [0-9]+: //p" "$2" | sed -E 's/ \([^)]*\)//g'
}
export LD_LIBRARY_PATH=$prefix/lib
for way in shared static; do
    verdict "the $way example runs" bash -c "\"\$@\" >'$work/$way.out'" - "$work/$way" "${ask[@]}"
    for stack in "text 3" "vision 4"; do
        read -r modality layers <<<"$stack"
        stored "$modality" "$layers" >"$work/stored"
        printed "$modality" "$work/$way.out" >"$work/printed"
        verdict "the store has $layers layers of $modality" test \
            "$(wc -l <"$work/stored")" = "$layers"
        verdict "$way: $modality paths are those of mip attribute" cmp "$work/stored" \
            "$work/printed"
    done
done
says=$("$MIP" generate --model "$tiny/model" --prompt "$(field question)" --image "$picture" \
    --max-new-tokens 32)
verdict "the answer is that of mip generate" test "$(head -n 1 "$work/shared.out")" = \
    "model says: $says"
"$work/shared" "$work/none" q a >"$work/out" 2>"$work/err"
verdict "an error has words" test $? = 1 -a -n "$(grep "^error: .*$work/none" "$work/err")"

# --- manual ---------------------------------------------------------------------------------------
man_dir=$prefix/share/man
commands=$("$MIP" help | sed -n '/^commands$/,/^$/s/^  \([a-z]*\) .*/\1/p')
missing=""
for command in $commands; do
    page=$man_dir/man1/mip-$command.1
    for word in $("$MIP" help "$command" | sed -n 's/^  --\([a-z-]*\).*/\1/p'); do
        grep -qF "\\-\\-${word//-/\\-}" "$page" || missing="$missing $command:--$word"
    done
    grep -qF "mip\\-$command(1)" "$man_dir/man1/mip.1" || missing="$missing mip.1:$command"
done
result "every option has its place in the manual" "${missing:+missing:$missing}"
missing=""
for key in $("$MIP" help config | sed -n 's/^\([a-z_.]*\): .*/\1/p'); do
    grep -qF "\\fB$key\\fR" "$man_dir/man5/mip-config.5" || missing="$missing $key"
done
result "every setting, too" "${missing:+missing:$missing}"
complaints=$(for page in "$man_dir"/man[15]/*; do
    groff -man -ww -Tutf8 -z "$page" 2>&1
done)
result "groff has no warning about a page" "$complaints"
expect "a folder that is not there" 1 err="$work/none" -- help --man "$work/none"

# --- completion -----------------------------------------------------------------------------------
# completed WORD... : what bash offers at the end of these words.
completed() {
    bash -c 'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _mip; echo "${COMPREPLY[*]}"' \
        "$prefix/share/bash-completion/completions/mip" "$@"
}
offers() {
    local wanted=$1
    shift
    verdict "completion of: $*" test "$(completed "$@")" = "$wanted"
}
offers "generate" mip ge
offers "--prompt" mip generate --pro
offers "answer all" mip trace --labels ""
offers "answer" mip trace --labels = an
offers "edit.neurons=" mip run x.yaml --set edit.neu
offers "path random all" mip run x.yaml --set edit.neurons =
offers "random" mip run x.yaml --set edit.neurons = ra
offers "random" mip run x.yaml --set = edit.neurons = ra
offers "true false" mip eval x.yaml --set eval.before =
offers "config" mip help conf
offers "" mip generate --image ""
offers "" mip run ""

# --- uninstall ------------------------------------------------------------------------------------
verdict "make uninstall" make --no-print-directory PREFIX="$prefix" uninstall
verdict "and no file is left" test -z "$(find "$prefix" ! -type d)"

finish
