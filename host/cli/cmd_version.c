/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/cmd_version.c - `mip version`: what this program was made from. */
#include <stdio.h>

#include "base/build_info.h"
#include "base/status_priv.h"
#include "cli/cli.h"
#include "cli/print.h"
#include "io/json_write.h"

static mip_status write_json(str *out, const build_info *b) {
    json_writer w = json_writer_start(out, true);
    MIP_TRY(json_begin_object(&w, NULL));
    MIP_TRY(json_put_string(&w, "version", b->version));
    MIP_TRY(json_put_string(&w, "commit", b->commit));
    MIP_TRY(json_put_string(&w, "compiler", b->compiler));
    MIP_TRY(json_put_string(&w, "variant", b->variant));
    MIP_TRY(json_put_string(&w, "flags", b->flags));
    return json_end(&w);
}

static mip_status run(cli *c, const cli_args *args) {
    (void)c;
    const build_info b = build_info_get();
    if (!cli_flag(args, "json")) {
        printf("mip %s\n", b.version);
        print_row("commit", "%s", b.commit);
        print_row("compiler", "%s, %s, %s", b.compiler, b.variant, b.flags);
        return MIP_OK;
    }
    str text;
    str_init(&text);
    const mip_status status = write_json(&text, &b);
    if (status == MIP_OK) {
        print_text(&text);
    }
    str_deinit(&text);
    return status;
}

static const cli_option options[] = {
    {.name = "json", .help = "as JSON"},
    {.name = NULL},
};

extern const cmd_entry cmd_version;
const cmd_entry cmd_version = {
    .name = "version",
    .summary = "the version, and what the program was built from",
    .usage = "[--json]",
    .options = options,
    .examples = "  mip version\n",
    .run = run,
};
