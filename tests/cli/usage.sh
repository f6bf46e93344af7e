#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tests/cli/usage.sh - commands, options, help texts and exit codes, whatever a command does.
source "$(dirname "$0")/../support/cli.sh"

expect "no command prints the list of commands" 0 out='^usage: mip COMMAND' out='^  generate ' \
    out='^exit codes' --
expect "help prints the list of commands" 0 out='^usage: mip COMMAND' -- help
expect "--help is help" 0 out='^usage: mip COMMAND' -- --help
expect "--version is version" 0 out='^mip [0-9]+\.[0-9]+\.[0-9]+$' -- --version
expect "version as JSON" 0 out='"commit": "' -- version --json

expect "a mistyped command names the nearest" 2 err="no command 'generat'" \
    err='^hint: did you mean: mip generate$' -- \
    generat
expect "a command like none points to help" 2 err="no command 'zzzzzz'" \
    err='^hint: type: mip help$' -- \
    zzzzzz
expect "a mistyped option names the nearest" 2 err='no option --promt' err='did you mean --prompt' \
    -- \
    generate --promt x
expect "an option like none points to the help of its command" 2 err='no option --zzzzzzzz' \
    err='hint: see: mip check --help' -- \
    check --zzzzzzzz d
expect "an option without its value" 2 err='--model needs a value: --model DIR' -- generate --model
expect "a flag with a value" 2 err='--json takes no value' -- check --json=1 d
expect "an option given twice" 2 err='--model is given twice' -- generate --model a --model b
expect "too few words" 2 err='usage: mip check DATA' -- check
expect "too many words" 2 err='usage: mip inspect FILE' -- inspect a b
expect "after -- everything is a word" 1 err='--json does not exist' -- inspect -- --json
MIP_LOG=loud expect "a wrong MIP_LOG is refused" 2 err="MIP_LOG is 'loud'" -- help
MIP_THREADS=many expect "a wrong MIP_THREADS is refused" 2 err='MIP_THREADS is "many"' -- doctor

commands=$("$MIP" help | sed -n '/^commands$/,/^$/s/^  \([a-z]*\) .*/\1/p')
verdict "the list of commands was found" test "$(wc -w <<<"$commands")" -ge 6
for command in $commands; do
    expect "help $command" 0 out="^mip $command " out='^examples$' -- help "$command"
    cp "$work/out" "$work/by_topic"
    expect "$command --help" 0 out="^mip $command " -- "$command" --help
    verdict "help $command and $command --help are the same" cmp "$work/by_topic" "$work/out"
done
expect "help about nothing known names the nearest" 2 err="no help about 'confg'" \
    err='did you mean: mip help config' -- \
    help confg
expect "help env lists the variables" 0 out='MIP_BACKEND_DIR' out='MIP_THREADS' out='MIP_LOG' -- \
    help env

expect "help config prints the settings" 0 -- help config
cp "$work/out" "$work/settings"
keys=$(sed -n 's/^ *{"\([a-z_.]*\)", CONFIG_[A-Z]*, .*/\1/p' host/io/config_schema.c)
verdict "the settings were found in the schema" test "$(wc -w <<<"$keys")" -ge 30
missing=""
for key in $keys; do
    grep -q "^${key//./\\.}: " "$work/settings" || missing="$missing $key"
done
result "help config mentions every key" "${missing:+missing:$missing}"

for command in "help" "help config" "version" "doctor --json" "check tests/data/nano" \
    "inspect $tiny/model"; do
    # shellcheck disable=SC2086 # words of a command line
    "$MIP" $command >/dev/full 2>"$work/err"
    code=$?
    verdict "a full stdout is an error: $command" test "$code" = 1
    verdict "and it is said: $command" grep -q 'cannot write to standard output' "$work/err"
done

finish
