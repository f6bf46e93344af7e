/* SPDX-License-Identifier: Apache-2.0 */
/* host/report/layer_quality.c - see layer_quality.h. */
#include "report/layer_quality.h"

#include <inttypes.h>
#include <math.h>

#include "base/status_priv.h"

void layer_quality_add(layer_quality *q, const attribution_sample *s, int64_t l) {
    q->n_samples++;
    if (!isnan(s->completeness[l])) {
        const double error = (double)s->completeness[l];
        q->worst = q->n_integrals == 0 ? error : fmax(q->worst, error);
        q->n_integrals++;
        q->n_converged += s->converged[l] == 1;
        q->completeness += error;
        q->completeness_abs += (double)s->completeness_abs[l];
    }
    if (!isnan(s->moved[l])) {
        q->n_refined++;
        q->moved += (double)s->moved[l];
    }
    q->n_nodes += s->n_nodes[l];
    q->most_nodes = s->n_nodes[l] > q->most_nodes ? s->n_nodes[l] : q->most_nodes;
    q->concentration += (double)s->concentration[l];
    q->kth_ratio += (double)s->kth_ratio[l];
    q->path_share += (double)s->path_share[l];
}

static double mean(double sum, int64_t n) {
    return n > 0 ? sum / (double)n : (double)NAN;
}

void layer_quality_finish(layer_quality *q) {
    q->completeness = mean(q->completeness, q->n_integrals);
    q->completeness_abs = mean(q->completeness_abs, q->n_integrals);
    q->worst = q->n_integrals > 0 ? q->worst : (double)NAN;
    q->n_nodes = mean(q->n_nodes, q->n_samples);
    q->moved = mean(q->moved, q->n_refined);
    q->concentration = mean(q->concentration, q->n_samples);
    q->kth_ratio = mean(q->kth_ratio, q->n_samples);
    q->path_share = mean(q->path_share, q->n_samples);
}

static mip_status append_percent(str *out, int width, double value) {
    return isnan(value) ? str_printf(out, "  %*s  ", width, "-")
                        : str_printf(out, "  %*.2f %%", width, 100 * value);
}

mip_status layer_quality_append(const layer_quality *layers, int64_t n, str *out) {
    MIP_TRY(str_append(
        out, "  worst: largest completeness error; moved: share of the path that the last further "
             "nodes brought in;\n  K-th: score of the path's last neuron over the first's; path "
             "terms: their share of the layer's |score|\n"
             "  layer     worst   nodes  most   converged    moved      K-th  path terms\n"));
    for (int64_t l = 0; l < n; l++) {
        const layer_quality *q = &layers[l];
        MIP_TRY(str_printf(out, "  %5" PRId64, l));
        MIP_TRY(append_percent(out, 6, q->worst));
        MIP_TRY(str_printf(out, "  %6.1f  %4" PRId32, q->n_nodes, q->most_nodes));
        MIP_TRY(append_percent(out, 7, mean((double)q->n_converged, q->n_integrals)));
        MIP_TRY(append_percent(out, 5, q->moved));
        MIP_TRY(append_percent(out, 6, q->kth_ratio));
        MIP_TRY(append_percent(out, 8, q->path_share));
        MIP_TRY(str_append(out, "\n"));
    }
    return MIP_OK;
}

mip_status layer_quality_append_missed(const layer_quality *layers, int64_t n, str *out) {
    int64_t n_integrals = 0;
    int64_t n_missed = 0;
    for (int64_t l = 0; l < n; l++) {
        const layer_quality *q = &layers[l];
        const int64_t missed = q->n_integrals - q->n_converged;
        n_integrals += q->n_integrals;
        n_missed += missed;
        if (missed > 0) {
            MIP_TRY(str_printf(out,
                               "  layer %" PRId64 " did not converge in %" PRId64 " of %" PRId64
                               " samples: completeness error up to %.2f %% with %" PRId32
                               " nodes\n",
                               l, missed, q->n_integrals, 100 * q->worst, q->most_nodes));
        }
    }
    return n_integrals > 0 && n_missed == 0
               ? str_append(out, "  every layer of every sample is within attribute.tolerance\n")
               : MIP_OK;
}

mip_status layer_quality_write(const layer_quality *q, json_writer *w) {
    MIP_TRY(json_begin_object(w, "quality"));
    MIP_TRY(json_put_i64(w, "samples", q->n_samples));
    MIP_TRY(json_put_i64(w, "integrals", q->n_integrals));
    MIP_TRY(json_put_i64(w, "converged", q->n_converged));
    MIP_TRY(json_put_i64(w, "refined", q->n_refined));
    MIP_TRY(json_put_f64_or_null(w, "completeness", q->completeness));
    MIP_TRY(json_put_f64_or_null(w, "completeness_abs", q->completeness_abs));
    MIP_TRY(json_put_f64_or_null(w, "worst", q->worst));
    MIP_TRY(json_put_f64_or_null(w, "nodes", q->n_nodes));
    MIP_TRY(json_put_i64(w, "most_nodes", q->most_nodes));
    MIP_TRY(json_put_f64_or_null(w, "moved", q->moved));
    MIP_TRY(json_put_f64_or_null(w, "concentration", q->concentration));
    MIP_TRY(json_put_f64_or_null(w, "kth_ratio", q->kth_ratio));
    MIP_TRY(json_put_f64_or_null(w, "path_share", q->path_share));
    return json_end(w);
}
