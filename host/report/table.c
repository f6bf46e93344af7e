/* SPDX-License-Identifier: Apache-2.0 */
/* host/report/table.c - see table.h.
 *
 * How     records -> cells per column -> a grid of strings -> widths -> text.
 * Tested  tests/unit/report/test_table.c */
#include "report/table.h"

#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "base/status_priv.h"
#include "eval/aggregate.h"

enum { HEAD_COLUMNS = 4, MAX_ROWS = 1 + EVAL_SETS * CELL_TASKS * RECORD_MODALITIES * 3 };

static const char *const task_words[CELL_TASKS] = {"choice", "answer", "cloze"};
static const char NOT_MEASURED[] = "not measured";

/* The table as text: [n_rows][HEAD_COLUMNS + n_columns]; row 0 is the heading. */
typedef struct grid {
    arena *memory;
    int n_rows, n_cols;
    const char *at[MAX_ROWS][HEAD_COLUMNS + TABLE_MAX_COLUMNS];
} grid;

/* What a row shows of a cell: k of n. */
typedef enum row_kind { ROW_ACCURACY, ROW_UNREADABLE, ROW_LIKELIHOOD } row_kind;

static void counts_of(const cell *c, row_kind kind, int64_t *k, int64_t *n) {
    *n = kind == ROW_LIKELIHOOD ? c->n_likelihood : c->n;
    *k = kind == ROW_ACCURACY     ? c->n_correct
         : kind == ROW_UNREADABLE ? c->n_unreadable
                                  : c->n_likelihood_correct;
}

static const char *wanted(eval_set set, row_kind kind) {
    static const char *const arrows[EVAL_SETS] = {"↓ to retain-only", "↑", "↑", "chance"};
    return kind == ROW_UNREADABLE ? "" : arrows[set];
}

static mip_status value_text(arena *a, const cell *c, row_kind kind, bool with_n,
                             const char **out) {
    int64_t k = 0;
    int64_t n = 0;
    char *text = NULL;
    counts_of(c, kind, &k, &n);
    *out = NOT_MEASURED;
    if (n == 0) {
        return MIP_OK;
    }
    const double share = (double)k / (double)n;
    if (kind == ROW_UNREADABLE) {
        MIP_TRY(arena_printf(a, &text, "%.2f", share));
    } else {
        const interval i = wilson_95(k, n);
        MIP_TRY(arena_printf(a, &text, "%.2f [%.2f, %.2f]", share, i.low, i.high));
    }
    if (with_n) {
        MIP_TRY(arena_printf(a, &text, "%s n=%" PRId64, text, n));
    }
    *out = text;
    return MIP_OK;
}

/* The n of a row if all columns that measured it agree, else -1; 0 = no column did. */
static int64_t common_n(const cell *const *cells, int n_columns, row_kind kind) {
    int64_t common = 0;
    for (int i = 0; i < n_columns; i++) {
        int64_t k = 0;
        int64_t n = 0;
        counts_of(cells[i], kind, &k, &n);
        if (n > 0 && common > 0 && n != common) {
            return -1;
        }
        common = n > 0 ? n : common;
    }
    return common;
}

static bool all_readable(const cell *const *cells, int n_columns) {
    for (int i = 0; i < n_columns; i++) {
        if (cells[i]->n_unreadable > 0) {
            return false;
        }
    }
    return true;
}

typedef struct row_key {
    eval_set set;
    record_task task;
    record_modality modality;
    row_kind kind;
} row_key;

static mip_status describe(arena *a, const row_key *key, const cell *const *cells, int n_columns,
                           const char **out) {
    char *text = NULL;
    if (key->kind == ROW_ACCURACY) {
        MIP_TRY(arena_printf(a, &text, "%s, %s, %s", eval_set_name(key->set),
                             record_modality_name(key->modality), task_words[key->task]));
    } else if (key->kind == ROW_UNREADABLE) {
        MIP_TRY(arena_strdup(a, "  unreadable", &text));
    } else {
        int i = 0;
        while (i + 1 < n_columns && cells[i]->n_likelihood == 0) {
            i++;
        }
        MIP_TRY(arena_printf(a, &text, "  by likelihood (chance %.2f)",
                             cells[i]->likelihood_chance / (double)cells[i]->n_likelihood));
    }
    *out = text;
    return MIP_OK;
}

static mip_status add_row(grid *g, const row_key *key, const cell *const *cells, int n_columns) {
    const int64_t n = common_n(cells, n_columns, key->kind);
    const char **row = g->at[g->n_rows];
    char *text = NULL;
    if (n == 0 || (key->kind == ROW_UNREADABLE && key->task != RECORD_MCQ &&
                   all_readable(cells, n_columns))) {
        return MIP_OK;
    }
    row[0] = key->kind == ROW_ACCURACY ? cell_name(key->set, key->task, key->modality) : "";
    MIP_TRY(describe(g->memory, key, cells, n_columns, &row[1]));
    row[2] = wanted(key->set, key->kind);
    row[3] = "";
    if (n > 0) {
        MIP_TRY(arena_printf(g->memory, &text, "%" PRId64, n));
        row[3] = text;
    }
    for (int i = 0; i < n_columns; i++) {
        MIP_TRY(value_text(g->memory, cells[i], key->kind, n < 0, &row[HEAD_COLUMNS + i]));
    }
    g->n_rows++;
    return MIP_OK;
}

static mip_status fill_grid(grid *g, const table_column *columns, int n_columns,
                            const cell_table *tables) {
    static const char *const head[HEAD_COLUMNS] = {"cell", "questions", "want", "n"};
    g->n_cols = HEAD_COLUMNS + n_columns;
    for (int i = 0; i < g->n_cols; i++) {
        g->at[0][i] = i < HEAD_COLUMNS ? head[i] : columns[i - HEAD_COLUMNS].title;
    }
    g->n_rows = 1;
    for (int set = 0; set < EVAL_SETS; set++) {
        for (int task = 0; task < CELL_TASKS; task++) {
            for (int modality = 0; modality < RECORD_MODALITIES; modality++) {
                const cell *cells[TABLE_MAX_COLUMNS];
                for (int i = 0; i < n_columns; i++) {
                    cells[i] = &tables[i].at[set][task][modality];
                }
                for (int kind = ROW_ACCURACY; kind <= ROW_LIKELIHOOD; kind++) {
                    const row_key key = {(eval_set)set, (record_task)task,
                                         (record_modality)modality, (row_kind)kind};
                    MIP_TRY(add_row(g, &key, cells, n_columns));
                }
            }
        }
    }
    return MIP_OK;
}

/* Characters of UTF-8 text: all bytes but continuation bytes. */
static int width_of(const char *text) {
    int n = 0;
    for (const char *p = text; *p != '\0'; p++) {
        n += ((unsigned char)*p & 0xc0) != 0x80;
    }
    return n;
}

static mip_status print_grid(const grid *g, str *out) {
    int widths[HEAD_COLUMNS + TABLE_MAX_COLUMNS] = {0};
    for (int r = 0; r < g->n_rows; r++) {
        for (int c = 0; c < g->n_cols; c++) {
            const int width = width_of(g->at[r][c]);
            widths[c] = width > widths[c] ? width : widths[c];
        }
    }
    for (int r = 0; r < g->n_rows; r++) {
        for (int c = 0; c < g->n_cols; c++) {
            MIP_TRY(str_printf(out, "%s%s%*s", c == 0 ? "| " : " | ", g->at[r][c],
                               widths[c] - width_of(g->at[r][c]), ""));
        }
        MIP_TRY(str_append(out, " |\n"));
        for (int c = 0; r == 0 && c < g->n_cols; c++) {
            MIP_TRY(str_append(out, "|"));
            for (int i = 0; i < widths[c] + 2; i++) {
                MIP_TRY(str_append_char(out, '-'));
            }
        }
        MIP_TRY(str_append(out, r == 0 ? "|\n" : ""));
    }
    return MIP_OK;
}

static mip_status print_notes(const table_column *columns, int n_columns, str *out) {
    bool reference = false;
    for (int i = 0; i < n_columns; i++) {
        reference = reference || columns[i].is_reference;
    }
    MIP_TRY(str_append(out, "\nShare of right answers with its 95 % Wilson interval. Unreadable "
                            "answers count as wrong. By "
                            "likelihood: the option whose text is most probable.\n"));
    return str_append(
        out,
        reference
            ? "Forget cells should come down to the retain-only model's value, not to 0.\n"
            : "Forget cells should come down to a retain-only model's value, not to 0; none is "
              "in this table.\n");
}

static mip_status load_column(arena *a, const table_column *c, cell_table *out) {
    eval_records records;
    const char *sha = c->model_sha;
    int64_t n_shown = 0;
    MIP_TRY(eval_records_load(a, c->path, &records));
    for (int64_t i = 0; i < records.n; i++) {
        const char *here = records.items[i].model_sha;
        if (c->model_sha == NULL && i > 0 && strcmp(here, records.items[0].model_sha) != 0) {
            MIP_FAIL(MIP_E_ARG, NULL, "%s holds records of several models; choose one by model_sha",
                     c->path);
        }
        n_shown += sha == NULL || strcmp(here, sha) == 0;
    }
    if (n_shown == 0) {
        MIP_FAIL(MIP_E_FORMAT, "run: mip eval CONFIG", "%s has no records of %s", c->path,
                 sha != NULL ? sha : "a model");
    }
    return aggregate_records(&records, sha, out);
}

/* The cells of every column, in the arena. */
static mip_status load_columns(arena *a, const table_column *columns, int n_columns,
                               cell_table **out) {
    if (n_columns < 1 || n_columns > TABLE_MAX_COLUMNS) {
        MIP_FAIL(MIP_E_ARG, NULL, "%d columns, expected 1 to %d", n_columns, TABLE_MAX_COLUMNS);
    }
    MIP_TRY(ARENA_NEW(a, n_columns, out));
    for (int i = 0; i < n_columns; i++) {
        MIP_TRY(load_column(a, &columns[i], &(*out)[i]));
    }
    return MIP_OK;
}

mip_status table_append(const table_column *columns, int n_columns, str *out) {
    arena a;
    grid *g = NULL;
    cell_table *tables = NULL;
    mip_status status = MIP_OK;
    arena_init(&a);
    MIP_TRY_GOTO(load_columns(&a, columns, n_columns, &tables));
    MIP_TRY_GOTO(ARENA_NEW(&a, 1, &g));
    g->memory = &a;
    MIP_TRY_GOTO(fill_grid(g, columns, n_columns, tables));
    MIP_TRY_GOTO(print_grid(g, out));
    MIP_TRY_GOTO(print_notes(columns, n_columns, out));
out:
    arena_deinit(&a);
    return status;
}

/* ---- JSON ------------------------------------------------------------------------------------ */

/* {"n": 45, "k": 3, "share": 0.07, "low": 0.02, "high": 0.18} */
static mip_status write_counts(json_writer *w, const char *key, const cell *c, row_kind kind) {
    int64_t k = 0;
    int64_t n = 0;
    counts_of(c, kind, &k, &n);
    if (n == 0) {
        return MIP_OK;
    }
    const interval i = wilson_95(k, n);
    MIP_TRY(json_begin_object(w, key));
    MIP_TRY(json_put_i64(w, "n", n));
    MIP_TRY(json_put_i64(w, "k", k));
    MIP_TRY(json_put_f64(w, "share", (double)k / (double)n));
    MIP_TRY(json_put_f64(w, "low", i.low));
    MIP_TRY(json_put_f64(w, "high", i.high));
    return json_end(w);
}

static mip_status write_value(json_writer *w, const cell *c) {
    MIP_TRY(json_begin_object(w, NULL));
    MIP_TRY(write_counts(w, "right", c, ROW_ACCURACY));
    MIP_TRY(write_counts(w, "unreadable", c, ROW_UNREADABLE));
    MIP_TRY(write_counts(w, "right_by_likelihood", c, ROW_LIKELIHOOD));
    if (c->n_likelihood > 0) {
        MIP_TRY(json_put_f64(w, "chance", c->likelihood_chance / (double)c->n_likelihood));
    }
    return json_end(w);
}

static mip_status write_cell(json_writer *w, const row_key *key, int n_columns,
                             const cell *const *cells) {
    MIP_TRY(json_begin_object(w, NULL));
    MIP_TRY(json_put_string(w, "cell", cell_name(key->set, key->task, key->modality)));
    MIP_TRY(json_put_string(w, "set", eval_set_name(key->set)));
    MIP_TRY(json_put_string(w, "modality", record_modality_name(key->modality)));
    MIP_TRY(json_put_string(w, "task", task_words[key->task]));
    MIP_TRY(json_begin_array(w, "values"));
    for (int i = 0; i < n_columns; i++) {
        MIP_TRY(write_value(w, cells[i]));
    }
    MIP_TRY(json_end(w));
    return json_end(w);
}

static mip_status write_columns(json_writer *w, const table_column *columns, int n_columns) {
    MIP_TRY(json_begin_array(w, "columns"));
    for (int i = 0; i < n_columns; i++) {
        MIP_TRY(json_begin_object(w, NULL));
        MIP_TRY(json_put_string(w, "title", columns[i].title));
        MIP_TRY(json_put_string(w, "path", columns[i].path));
        MIP_TRY(json_put_string(w, "model_sha", columns[i].model_sha));
        MIP_TRY(json_put_bool(w, "reference", columns[i].is_reference));
        MIP_TRY(json_end(w));
    }
    return json_end(w);
}

static mip_status write_cells(json_writer *w, int n_columns, const cell_table *tables) {
    MIP_TRY(json_begin_array(w, "cells"));
    for (int i = 0; i < EVAL_SETS * CELL_TASKS * RECORD_MODALITIES; i++) {
        const row_key key = {.set = (eval_set)(i / (CELL_TASKS * RECORD_MODALITIES)),
                             .task = (record_task)(i / RECORD_MODALITIES % CELL_TASKS),
                             .modality = (record_modality)(i % RECORD_MODALITIES)};
        const cell *cells[TABLE_MAX_COLUMNS];
        for (int c = 0; c < n_columns; c++) {
            cells[c] = &tables[c].at[key.set][key.task][key.modality];
        }
        if (common_n(cells, n_columns, ROW_ACCURACY) != 0) {
            MIP_TRY(write_cell(w, &key, n_columns, cells));
        }
    }
    return json_end(w);
}

mip_status table_write(const table_column *columns, int n_columns, json_writer *w) {
    arena a;
    cell_table *tables = NULL;
    mip_status status = MIP_OK;
    arena_init(&a);
    MIP_TRY_GOTO(load_columns(&a, columns, n_columns, &tables));
    MIP_TRY_GOTO(write_columns(w, columns, n_columns));
    MIP_TRY_GOTO(write_cells(w, n_columns, tables));
out:
    arena_deinit(&a);
    return status;
}
