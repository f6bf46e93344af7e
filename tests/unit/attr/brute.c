/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/attr/brute.c - see brute.h. */
#include "brute.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attr/path.h"
#include "attr/score_reduce.h"
#include "base/status_priv.h"
#include "ops/ops.h"

enum { MAX_ROWS = 512, MAX_LAYERS = 16 };

/* One run of the whole model with layers 0..l of one stack overwritten; gradients at the tapped
 * rows of these layers. */
typedef struct brute {
    exec *x;
    const model *m;
    const labelled_sample *s;
    const config_attribute *config;
    bool on_vision;
    const stack *stack;
    sample_front front;
    int32_t label_rows[MAX_ROWS], targets[MAX_ROWS];
    int64_t n_labels;
    int32_t rows[MAX_ROWS]; // tapped
    int64_t n_rows;
    float *a_host;  // [L, p, F] clean
    float *a;       // dev
    float *da_host; // [L, p, F] of the last run
    path path;
} brute;

static void set_rows(brute *b) {
    for (int32_t i = 0; i + 1 < b->s->seq.n; i++) {
        if (b->s->labels[i + 1] >= 0) {
            b->label_rows[b->n_labels] = i;
            b->targets[b->n_labels++] = b->s->labels[i + 1];
        }
    }
    if (b->on_vision) {
        for (int32_t i = 0; i < b->front.vision.layout.n_rows; i++) {
            if (b->config->vision_positions == CONFIG_VISION_POSITIONS_ALL ||
                b->front.vision.order[i] == 0) {
                b->rows[b->n_rows++] = i;
            }
        }
    } else if (b->config->positions == CONFIG_POSITIONS_FIRST) {
        b->rows[b->n_rows++] = 0;
    } else {
        b->n_rows = b->config->positions == CONFIG_POSITIONS_ANSWER ? b->n_labels : 1;
        memcpy(b->rows, b->label_rows, (size_t)b->n_rows * sizeof b->rows[0]);
    }
}

/* Values that overwrite layer r of a run for candidate layer l (or exact candidate
 * j >= 0) at alpha. */
static void values_of(const brute *b, int r, int l, int32_t j, double alpha, float *v) {
    const int64_t ffn = b->stack->ffn;
    int64_t n = 0;
    const int32_t *scaled = r < l ? path_scaled(&b->path, r, b->config->path, &n) : &j;
    memcpy(v, b->a_host + r * b->n_rows * ffn, (size_t)(b->n_rows * ffn) * sizeof *v);
    for (int64_t p = 0; p < b->n_rows; p++) {
        if (r == l && j < 0) {
            for (int64_t f = 0; f < ffn; f++) {
                v[p * ffn + f] = (float)alpha * v[p * ffn + f];
            }
            continue;
        }
        for (int64_t i = 0; i < (r < l ? n : 1); i++) {
            v[p * ffn + scaled[i]] = (float)alpha * v[p * ffn + scaled[i]];
        }
    }
}

static mip_status tap_layers(const brute *b, int l, int32_t j, double alpha, neuron_tap *taps,
                             const int32_t *candidate) {
    const int64_t elems = b->n_rows * b->stack->ffn;
    for (int r = 0; r <= l; r++) {
        float *v = NULL;
        float *host = malloc((size_t)elems * sizeof *host);
        taps[r] = (neuron_tap){.layer = r, .n_rows = b->n_rows, .rows = b->rows, .replace = true};
        MIP_TRY(EXEC_NEW(b->x, elems, &v));
        MIP_TRY(EXEC_NEW(b->x, elems, &taps[r].da));
        values_of(b, r, l, j, alpha, host);
        MIP_TRY(exec_upload(b->x, v, host, (size_t)elems * sizeof *host));
        free(host);
        taps[r].value = v;
        if (b->config->nonpath == CONFIG_NONPATH_LIVE && (r < l || j >= 0)) {
            taps[r].cols =
                r < l ? path_scaled(&b->path, r, b->config->path, &taps[r].n_cols) : candidate;
            taps[r].n_cols = r < l ? taps[r].n_cols : 1;
        }
    }
    return MIP_OK;
}

/* Full run: taps on the stack under test, log p, and (grad) the whole way back. */
static mip_status full_run(brute *b, const tap_list *taps, bool grad, double *logp) {
    mip_status status = MIP_OK;
    exec *x = b->x;
    const model *m = b->m;
    const int64_t width = m->text.width;
    const int64_t n = b->s->seq.n;
    vision_trace vision = {0};
    stack_trace trace = {0};
    float *features = b->front.features;
    float *h = NULL;
    float *last = NULL;
    float *dh = NULL;
    double each[MAX_ROWS];
    const stack_call call = {
        .x = x, .s = &m->text, .rows = &b->front.text.layout, .taps = b->on_vision ? NULL : taps};
    if (b->on_vision) {
        MIP_TRY_GOTO(vision_fwd(x, m, &b->front.vision, taps, true, &vision));
        features = vision.features;
    }
    MIP_TRY_GOTO(EXEC_NEW(x, n * width, &h));
    MIP_TRY_GOTO(EXEC_NEW(x, n * width, &last));
    MIP_TRY_GOTO(EXEC_NEW(x, n * width, &dh));
    MIP_TRY_GOTO(embed_rows(x, m, &b->front.text, &b->front.vision, features, h));
    MIP_TRY_GOTO(stack_trace_alloc(&m->text, &trace));
    MIP_TRY_GOTO(stack_fwd(&call, 0, m->text.n_layers, h, last, &trace));
    MIP_TRY_GOTO(exec_zero(x, dh, (size_t)(n * width) * sizeof *dh));
    MIP_TRY_GOTO(head_logp(x, &m->head, last,
                           &(head_labels){b->n_labels, b->label_rows, b->targets, NULL}, each, dh,
                           NULL));
    *logp = 0;
    for (int64_t i = 0; i < b->n_labels; i++) {
        *logp += each[i];
    }
    if (grad) {
        MIP_TRY_GOTO(stack_vjp(&call, &trace, 0, m->text.n_layers, dh, NULL, NULL));
    }
    if (grad && b->on_vision) {
        float *d_features = NULL;
        float *d_tower = NULL;
        MIP_TRY_GOTO(EXEC_NEW(x, b->front.vision.n_features * width, &d_features));
        MIP_TRY_GOTO(EXEC_NEW(x, b->front.vision.layout.n_rows * m->vision.width, &d_tower));
        MIP_TRY_GOTO(embed_rows_vjp(x, m, &b->front.text, &b->front.vision, dh, d_features));
        MIP_TRY_GOTO(vision_vjp(x, m, &b->front.vision, taps, &vision, d_features,
                                &(vision_grads){.d_tower = d_tower}));
    }
out:
    vision_trace_free(&vision);
    stack_trace_free(&trace);
    return status;
}

static mip_status clean_run(brute *b, double *logp) {
    const int64_t elems = b->n_rows * b->stack->ffn;
    const int n_layers = b->stack->n_layers;
    neuron_tap taps[MAX_LAYERS] = {0};
    MIP_TRY(EXEC_NEW(b->x, n_layers * elems, &b->a));
    for (int l = 0; l < n_layers; l++) {
        taps[l] =
            (neuron_tap){.layer = l, .n_rows = b->n_rows, .rows = b->rows, .a = b->a + l * elems};
    }
    const tap_list list = {.taps = taps, .n = n_layers};
    const size_t mark = exec_mark(b->x);
    MIP_TRY(full_run(b, &list, false, logp));
    exec_release(b->x, mark);
    return exec_download(b->x, b->a_host, b->a, (size_t)(n_layers * elems) * sizeof *b->a_host);
}

static mip_status scored_run(brute *b, int l, int32_t j, double alpha, double *logp) {
    neuron_tap taps[MAX_LAYERS] = {0};
    const int64_t elems = b->n_rows * b->stack->ffn;
    const size_t mark = exec_mark(b->x);
    MIP_TRY(tap_layers(b, l, j, alpha, taps, &j));
    const tap_list list = {.taps = taps, .n = l + 1};
    MIP_TRY(full_run(b, &list, true, logp));
    for (int r = 0; r <= l; r++) {
        MIP_TRY(
            exec_download(b->x, b->da_host + r * elems, taps[r].da, (size_t)elems * sizeof(float)));
    }
    exec_release(b->x, mark);
    return MIP_OK;
}

static double path_sum(const brute *b, int l, bool own) {
    const int64_t ffn = b->stack->ffn;
    double sum = 0;
    for (int r = 0; r < l; r++) {
        int64_t n = 0;
        const int32_t *cols = own ? path_scaled(&b->path, r, b->config->path, &n)
                                  : path_representatives(&b->path, r, &n);
        for (int64_t p = 0; p < b->n_rows; p++) {
            for (int64_t i = 0; i < n; i++) {
                const int64_t at = (r * b->n_rows + p) * ffn + cols[i];
                sum += (double)b->da_host[at] * (own ? (double)b->a_host[at] : 1.0);
            }
        }
    }
    return sum;
}

static mip_status open_run(brute *b) {
    MIP_TRY(sample_front_create(b->x, b->m, b->s, true, &b->front));
    set_rows(b);
    const size_t elems = (size_t)(b->stack->n_layers * b->n_rows * b->stack->ffn);
    b->a_host = calloc(elems, sizeof(float));
    b->da_host = calloc(elems, sizeof(float));
    return path_create(b->stack->n_layers, b->stack->ffn, b->config->top_k,
                       b->config->representative, &b->path);
}

static void close_run(brute *b) {
    sample_front_destroy(&b->front);
    path_destroy(&b->path);
    free(b->a_host);
    free(b->da_host);
}

static mip_status text_scores(brute *b, const quadrature *rule, int l, int32_t j, double logp_clean,
                              layer_scores *s) {
    const int64_t elems = b->n_rows * b->stack->ffn;
    float *grad = calloc((size_t)(rule->n * elems), sizeof *grad);
    double logp[QUADRATURE_MAX_NODES];
    double unit[QUADRATURE_MAX_NODES];
    double own[QUADRATURE_MAX_NODES];
    double logp_zero = 0;
    MIP_TRY(scored_run(b, l, -1, 0.0, &logp_zero));
    for (int k = 0; k < rule->n; k++) {
        MIP_TRY(scored_run(b, l, j, rule->node[k], &logp[k]));
        memcpy(grad + k * elems, b->da_host + l * elems, (size_t)elems * sizeof *grad);
        unit[k] = path_sum(b, l, false);
        own[k] = path_sum(b, l, true);
    }
    const layer_nodes nodes = {.rule = rule,
                               .n_rows = b->n_rows,
                               .ffn = b->stack->ffn,
                               .n_labels = b->n_labels,
                               .a = b->a_host + l * elems,
                               .grad = grad,
                               .logp = logp,
                               .path_unit = unit,
                               .path_own = own,
                               .q = b->path.q,
                               .logp_clean = logp_clean,
                               .logp_zero = logp_zero};
    const mip_status status = reduce_layer(&nodes, b->config->objective, b->config->score,
                                           b->config->completeness_floor, s);
    free(grad);
    return status;
}

static void keep(const brute *b, int l, attribution_sample *out) {
    for (int64_t i = l * b->path.top_k; i < (l + 1) * b->path.top_k; i++) {
        out->path[i] = b->path.best[i];
        out->path_score[i] = b->path.best_score[i];
    }
}

mip_status brute_text(exec *x, const model *m, const labelled_sample *s,
                      const config_attribute *config, const quadrature *rule,
                      attribution_sample *out) {
    brute b = {.x = x, .m = m, .s = s, .config = config, .stack = &m->text};
    const size_t mark = exec_mark(x);
    double activation[4096];
    MIP_TRY(open_run(&b));
    MIP_TRY(clean_run(&b, &out->logp_clean));
    for (int l = 0; l < m->text.n_layers; l++) {
        layer_scores scores = {.score = out->score + l * m->text.ffn, .activation = activation};
        MIP_TRY(text_scores(&b, rule, l, -1, out->logp_clean, &scores));
        out->completeness[l] = (float)scores.completeness;
        out->completeness_abs[l] = (float)scores.completeness_abs;
        for (int32_t j = 0; config->candidate == CONFIG_CANDIDATE_EXACT && j < m->text.ffn; j++) {
            float all[4096];
            double ignored[4096];
            layer_scores one = {.score = all, .activation = ignored};
            MIP_TRY(text_scores(&b, rule, l, j, out->logp_clean, &one));
            out->score[l * m->text.ffn + j] = all[j];
        }
        MIP_TRY(path_choose(&b.path, scores.score, activation));
        keep(&b, l, out);
    }
    close_run(&b);
    exec_release(x, mark);
    return MIP_OK;
}

static double square_sum(const brute *b, int r, int64_t j) {
    double sum = 0;
    for (int64_t p = 0; p < b->n_rows; p++) {
        const double g = (double)b->da_host[(r * b->n_rows + p) * b->stack->ffn + j];
        sum += g * g;
    }
    return sum / (double)b->n_rows;
}

mip_status brute_vision(exec *x, const model *m, const labelled_sample *s,
                        const config_attribute *config, const quadrature *rule,
                        attribution_sample *out) {
    brute b = {.x = x, .m = m, .s = s, .config = config, .stack = &m->vision, .on_vision = true};
    const size_t mark = exec_mark(x);
    const int64_t ffn = m->vision.ffn;
    MIP_TRY(open_run(&b));
    MIP_TRY(clean_run(&b, &out->logp_clean));
    for (int l = 0; l < m->vision.n_layers; l++) {
        double fisher[4096] = {0};
        double activation[4096] = {0};
        for (int k = 0; k < rule->n; k++) {
            double logp = 0;
            double along = 0;
            MIP_TRY(scored_run(&b, l, -1, rule->node[k], &logp));
            for (int r = 0; r < l; r++) {
                int64_t n = 0;
                const int32_t *rep = path_representatives(&b.path, r, &n);
                for (int64_t i = 0; i < n; i++) {
                    along += square_sum(&b, r, rep[i]);
                }
            }
            for (int64_t j = 0; j < ffn; j++) {
                fisher[j] += rule->weight[k] * (square_sum(&b, l, j) + along);
            }
        }
        for (int64_t p = 0; p < b.n_rows; p++) {
            for (int64_t j = 0; j < ffn; j++) {
                const double v = (double)b.a_host[(l * b.n_rows + p) * ffn + j];
                activation[j] += config->fisher_abs ? fabs(v) : v;
            }
        }
        for (int64_t j = 0; j < ffn; j++) {
            out->score[l * ffn + j] = (float)((activation[j] + b.path.q) * fisher[j]);
        }
        MIP_TRY(path_choose(&b.path, out->score + l * ffn, activation));
        keep(&b, l, out);
    }
    close_run(&b);
    exec_release(x, mark);
    return MIP_OK;
}
