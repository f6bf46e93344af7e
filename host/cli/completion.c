/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/completion.c - see completion.h.
 *
 * Form    Tables as `case` of the shell, then one function that is always the same.
 * Tested  tests/cli/library.sh */
#include "cli/completion.h"

#include <string.h>

#include "base/status_priv.h"
#include "cli/cli.h"
#include "io/config_schema.h"

/* bash takes '=' as a word of its own: --set KEY=VALUE arrives as --set, KEY, =, VALUE. Words
 * before the cursor are looked at without it. */
static const char function[] =
    "_mip() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} word words=() choice=\n"
    "    local after_equals=${COMP_WORDS[COMP_CWORD-1]}\n"
    "    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
    "        [ \"$word\" = = ] || words+=(\"$word\")\n"
    "    done\n"
    "    [ \"$cur\" != = ] || { cur= after_equals==; }\n"
    "    COMPREPLY=()\n"
    "    local n=${#words[@]}\n"
    "    if [ \"$n\" -eq 0 ]; then\n"
    "        choice=$_mip_commands\n"
    "    elif [ \"$n\" -ge 2 ] && [ \"${words[n-2]}\" = --set ] && [ \"$after_equals\" = = ]; "
    "then\n"
    "        choice=$(_mip_key_values \"${words[n-1]}\")\n"
    "    elif [ \"${words[n-1]}\" = --set ]; then\n"
    "        choice=$_mip_keys\n"
    "        compopt -o nospace 2>/dev/null\n"
    "    elif [[ ${words[n-1]} == --* ]] && _mip_takes_value \"$command ${words[n-1]}\"; then\n"
    "        choice=$(_mip_values \"$command ${words[n-1]}\")\n"
    "    elif [[ $cur == -* ]]; then\n"
    "        choice=$(_mip_options \"$command\")\n"
    "    elif [ \"$command\" = help ]; then\n"
    "        choice=\"$_mip_commands config env\"\n"
    "    fi\n"
    "    mapfile -t COMPREPLY < <(compgen -W \"$choice\" -- \"$cur\")\n"
    "}\n"
    "complete -o default -F _mip mip\n";

static mip_status append_choices(str *out, const char *choices) {
    for (const char *p = choices; *p != '\0'; p++) {
        MIP_TRY(str_append_char(out, *p == '|' ? ' ' : *p));
    }
    return MIP_OK;
}

static mip_status append_commands(str *out) {
    MIP_TRY(str_append(out, "_mip_commands=\""));
    for (int i = 0; cli_commands[i] != NULL; i++) {
        MIP_TRY(str_printf(out, "%s%s", i > 0 ? " " : "", cli_commands[i]->name));
    }
    MIP_TRY(str_append(out, "\"\n_mip_options() {\n    case $1 in\n"));
    for (int i = 0; cli_commands[i] != NULL; i++) {
        MIP_TRY(str_printf(out, "    %s) echo '--help", cli_commands[i]->name));
        for (const cli_option *o = cli_commands[i]->options; o->name != NULL; o++) {
            MIP_TRY(str_printf(out, " --%s", o->name));
        }
        MIP_TRY(str_append(out, "' ;;\n"));
    }
    return str_append(out, "    esac\n}\n");
}

/* Options with a value; and of those with a fixed choice ("answer|all"), the choice. */
static mip_status append_values(str *out) {
    MIP_TRY(str_append(out, "_mip_takes_value() {\n    case $1 in\n"));
    for (int i = 0; cli_commands[i] != NULL; i++) {
        for (const cli_option *o = cli_commands[i]->options; o->name != NULL; o++) {
            if (o->value != NULL) {
                MIP_TRY(str_printf(out, "    '%s --%s') ;;\n", cli_commands[i]->name, o->name));
            }
        }
    }
    MIP_TRY(str_append(out, "    *) return 1 ;;\n    esac\n}\n_mip_values() {\n    case $1 in\n"));
    for (int i = 0; cli_commands[i] != NULL; i++) {
        for (const cli_option *o = cli_commands[i]->options; o->name != NULL; o++) {
            if (o->value != NULL && strchr(o->value, '|') != NULL) {
                MIP_TRY(str_printf(out, "    '%s --%s') echo '", cli_commands[i]->name, o->name));
                MIP_TRY(append_choices(out, o->value));
                MIP_TRY(str_append(out, "' ;;\n"));
            }
        }
    }
    return str_append(out, "    esac\n}\n");
}

static mip_status append_keys(str *out) {
    size_t n = 0;
    const config_key *keys = config_keys(&n);
    MIP_TRY(str_append(out, "_mip_keys=\""));
    for (size_t i = 0; i < n; i++) {
        MIP_TRY(str_printf(out, "%s%s=", i > 0 ? " " : "", keys[i].name));
    }
    MIP_TRY(str_append(out, "\"\n_mip_key_values() {\n    case $1 in\n"));
    for (size_t i = 0; i < n; i++) {
        if (keys[i].type == CONFIG_BOOL) {
            MIP_TRY(str_printf(out, "    %s) echo 'true false' ;;\n", keys[i].name));
        } else if (keys[i].choices != NULL) {
            MIP_TRY(str_printf(out, "    %s) echo '", keys[i].name));
            for (const config_choice *c = keys[i].choices; c->name != NULL; c++) {
                MIP_TRY(str_printf(out, "%s%s", c > keys[i].choices ? " " : "", c->name));
            }
            MIP_TRY(str_append(out, "' ;;\n"));
        }
    }
    return str_append(out, "    esac\n}\n");
}

mip_status completion_append(str *out) {
    MIP_TRY(str_append(out, "# bash completion of mip, made by: mip help --bash\n"));
    MIP_TRY(append_commands(out));
    MIP_TRY(append_values(out));
    MIP_TRY(append_keys(out));
    return str_append(out, function);
}
