/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/model/test_adapter.c - derivatives of the tiny model's connector:
 * adjoint identity and finite differences. */
#include "model/adapter.h"

#include "support/tiny_model.h"
#include "unit/model/probe.h"

enum { ARENA_BYTES = 4 << 20, ROWS = 12, GROUP = 4, GROUPS = ROWS / GROUP };

static const float step = 1.0F / 256.0F;
static const char *const backends[] = {"ref", "cpu"};
enum { N_BACKENDS = 2 };

typedef struct adapter_case {
    tiny_model t;
    probe p;
    const adapter *a;
    int64_t n_in, n_out; // elements
    float *in, *out;     // dev
    adapter_saved saved;
} adapter_case;

static void case_open(adapter_case *c, const char *backend) {
    tiny_model_open(&c->t, backend, "model", ARENA_BYTES);
    probe_attach(&c->p, &c->t.x);
    c->a = &c->t.m.merger;
    cr_assert_eq(c->a->group, GROUP);
    c->n_in = ROWS * c->a->width_in;
    c->n_out = GROUPS * c->a->width_out;
    c->in = probe_put(&c->p, probe_random(&c->p, c->n_in, 1.0F, 1), c->n_in);
    c->out = probe_zeros(&c->p, c->n_out);
    ASSERT_OK(adapter_fwd(c->p.x, c->a, ROWS, c->in, c->out, &c->saved));
}

static void case_close(adapter_case *c) {
    probe_close(&c->p);
    tiny_model_close(&c->t);
}

/* d_in starts as garbage: it is overwritten. */
static const float *vjp_of(adapter_case *c, const float *u, const adapter_grads *grads) {
    float *d_in = probe_put(&c->p, probe_random(&c->p, c->n_in, 9.0F, 4), c->n_in);
    const float *d_out = probe_put(&c->p, u, c->n_out);
    ASSERT_OK(adapter_vjp(c->p.x, c->a, ROWS, &c->saved, d_out, d_in, grads));
    return probe_get(&c->p, d_in, c->n_in);
}

static const float *jvp_of(adapter_case *c, const float *v) {
    float *t_out = probe_zeros(&c->p, c->n_out);
    const float *t_in = probe_put(&c->p, v, c->n_in);
    ASSERT_OK(adapter_jvp(c->p.x, c->a, ROWS, &c->saved, t_in, t_out));
    return probe_get(&c->p, t_out, c->n_out);
}

static void output(void *ctx, double *out) {
    adapter_case *c = ctx;
    adapter_saved saved;
    const size_t mark = exec_mark(c->p.x);
    float *y = probe_zeros(&c->p, c->n_out);
    ASSERT_OK(adapter_fwd(c->p.x, c->a, ROWS, c->in, y, &saved));
    const float *host = probe_get(&c->p, y, c->n_out);
    for (int64_t i = 0; i < c->n_out; i++) {
        out[i] = (double)host[i];
    }
    exec_release(c->p.x, mark);
}

Test(adapter, tangent_is_the_adjoint_of_the_cotangent) {
    for (int b = 0; b < N_BACKENDS; b++) {
        adapter_case c;
        case_open(&c, backends[b]);
        const float *u = probe_random(&c.p, c.n_out, 1.0F, 2);
        const float *v = probe_random(&c.p, c.n_in, 1.0F, 3);
        expect_adjoint(backends[b], (probe_pair){vjp_of(&c, u, NULL), v, c.n_in},
                       (probe_pair){u, jvp_of(&c, v), c.n_out});
        case_close(&c);
    }
}

Test(adapter, tangent_equals_finite_differences) {
    adapter_case c;
    case_open(&c, "ref");
    const float *v = probe_random(&c.p, c.n_in, 1.0F, 3);
    const probe_param along = {.dev = c.in, .n = c.n_in, .v = v, .step = step};
    const double *numeric = probe_along(&c.p, &along, output, &c, c.n_out);
    expect_close_f64("tangent", jvp_of(&c, v), numeric, c.n_out, 1e-4);
    case_close(&c);
}

Test(adapter, gradients_of_all_parameters_equal_finite_differences) {
    adapter_case c;
    case_open(&c, "ref");
    const adapter *a = c.a;
    probe *p = &c.p;
    const adapter_grads g = {
        .norm = {.dw = probe_zeros(p, a->width_in)},
        .in = {.dw = probe_zeros(p, a->in.out * a->in.in), .dbias = probe_zeros(p, a->in.out)},
        .out = {.dw = probe_zeros(p, a->out.out * a->out.in), .dbias = probe_zeros(p, a->out.out)}};
    const float *u = probe_random(p, c.n_out, 1.0F, 2);
    const float *d_in = vjp_of(&c, u, &g);
    cr_assert_arr_eq(d_in, vjp_of(&c, u, NULL), (size_t)c.n_in * sizeof *d_in,
                     "the cotangent depends on what is wanted");
    const struct {
        const char *name;
        float *w;
        const float *grad;
        int64_t n;
    } all[] = {{"norm", a->norm.w, g.norm.dw, a->width_in},
               {"in", a->in.w.at, g.in.dw, a->in.out * a->in.in},
               {"in bias", a->in.bias, g.in.dbias, a->in.out},
               {"out", a->out.w.at, g.out.dw, a->out.out * a->out.in},
               {"out bias", a->out.bias, g.out.dbias, a->out.out}};
    const probe_function f = {.fn = output, .ctx = &c, .n_out = c.n_out, .u = u, .out = c.out};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        const probe_param along = {
            .dev = all[i].w, .n = all[i].n, .v = probe_random(p, all[i].n, 1.0F, 5), .step = step};
        expect_gradient(p, all[i].name, &f, &along, all[i].grad);
    }
    case_close(&c);
}

Test(adapter, patches_that_do_not_form_groups_are_refused) {
    adapter_case c;
    adapter_saved saved;
    case_open(&c, "ref");
    ASSERT_FAILS(adapter_fwd(c.p.x, c.a, ROWS - 1, c.in, c.out, &saved), MIP_E_SHAPE,
                 "11 patches do not form groups of 4");
    case_close(&c);
}
