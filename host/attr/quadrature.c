/* SPDX-License-Identifier: Apache-2.0 */
/* host/attr/quadrature.c - see quadrature.h.
 *
 * What    Gauss nodes are the zeros of P_n, right Radau nodes those of P_{n-1} - P_n, on [-1, 1].
 *         Zeros are bracketed on a cosine grid and bisected in long double: nothing here is hot,
 *         and bisection cannot fail. */
#include "attr/quadrature.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/status_priv.h"

static const char accepted_forms[] =
    "use fast, balanced, accurate, literal or adaptive, or left<n>, right<n>, midpoint<n>, "
    "trapezoid<n>, gauss<n> or radau<n>, for example radau5";

static const struct {
    const char *name, *rule;
    bool adaptive;
} named_rules[] = {
    {"fast", "radau2", false},    {"balanced", "radau3", false}, {"accurate", "radau5", false},
    {"literal", "right4", false}, {"adaptive", "radau5", true},
};

typedef struct legendre {
    long double p;        // P_n(x)
    long double p_before; // P_{n-1}(x)
} legendre;

static legendre legendre_at(int n, long double x) {
    legendre v = {.p = 1.0L, .p_before = 0.0L};
    for (int k = 1; k <= n; k++) {
        const long double next = ((2 * k - 1) * x * v.p - (k - 1) * v.p_before) / k;
        v.p_before = v.p;
        v.p = next;
    }
    return v;
}

static long double gauss_zero(int n, long double x) {
    return legendre_at(n, x).p;
}

static long double radau_zero(int n, long double x) {
    const legendre v = legendre_at(n, x);
    return v.p_before - v.p;
}

static long double bisect(long double (*f)(int, long double), int n, long double low,
                          long double high) {
    const bool rising = f(n, low) < 0;
    for (int i = 0; i < 120; i++) {
        const long double middle = (low + high) / 2;
        if ((f(n, middle) < 0) == rising) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return (low + high) / 2;
}

/* The zeros of f inside (-1, 1), increasing; at most n. */
static int zeros(long double (*f)(int, long double), int n, long double *x) {
    const int grid = 64 * n; // zeros are about pi / n apart in the angle
    const long double pi = acosl(-1.0L);
    int found = 0;
    long double low = -1.0L;
    for (int i = 1; i < grid && found < n; i++) {
        const long double high = -cosl(pi * ((long double)i + 0.3L) / (long double)grid);
        if ((f(n, low) < 0) != (f(n, high) < 0)) {
            x[found++] = bisect(f, n, low, high);
        }
        low = high;
    }
    return found;
}

static void gauss(int n, quadrature *q) {
    long double x[QUADRATURE_MAX_NODES];
    q->n = zeros(gauss_zero, n, x);
    for (int i = 0; i < q->n; i++) {
        const legendre v = legendre_at(n, x[i]);
        const long double slope = n * (v.p_before - x[i] * v.p) / (1 - x[i] * x[i]);
        q->node[i] = (double)((x[i] + 1) / 2);
        /* Half of the [-1, 1] weight. */
        q->weight[i] = (double)(1 / ((1 - x[i] * x[i]) * slope * slope));
    }
}

static void radau(int n, quadrature *q) {
    long double x[QUADRATURE_MAX_NODES];
    const int inner = zeros(radau_zero, n, x);
    for (int i = 0; i < inner; i++) {
        const long double p = legendre_at(n - 1, x[i]).p;
        q->node[i] = (double)((x[i] + 1) / 2);
        q->weight[i] = (double)((1 + x[i]) / (2 * n * n * p * p));
    }
    q->node[inner] = 1.0;
    q->weight[inner] = 1.0 / ((double)n * n);
    q->n = inner + 1;
}

static void equal_steps(int n, double offset, quadrature *q) {
    q->n = n;
    for (int k = 0; k < n; k++) {
        q->node[k] = (k + offset) / n;
        q->weight[k] = 1.0 / n;
    }
}

static void left(int n, quadrature *q) {
    equal_steps(n, 0.0, q);
}

static void right(int n, quadrature *q) {
    equal_steps(n, 1.0, q);
}

static void midpoint(int n, quadrature *q) {
    equal_steps(n, 0.5, q);
}

static void trapezoid(int n, quadrature *q) {
    q->n = n;
    for (int k = 0; k < n; k++) {
        q->node[k] = (double)k / (n - 1);
        q->weight[k] = (k == 0 || k == n - 1 ? 0.5 : 1.0) / (n - 1);
    }
}

static const struct {
    const char *name;
    void (*make)(int n, quadrature *q);
    int least;
} rules[] = {
    {"left", left, 1},           {"right", right, 1}, {"midpoint", midpoint, 1},
    {"trapezoid", trapezoid, 2}, {"gauss", gauss, 1}, {"radau", radau, 1},
};

mip_status quadrature_parse(const char *name, quadrature *out) {
    out->adaptive = false;
    for (size_t i = 0; i < sizeof named_rules / sizeof named_rules[0]; i++) {
        if (strcmp(name, named_rules[i].name) == 0) {
            MIP_TRY(quadrature_parse(named_rules[i].rule, out));
            out->adaptive = named_rules[i].adaptive;
            return MIP_OK;
        }
    }
    const size_t letters = strcspn(name, "0123456789");
    char *end = NULL;
    const long n = strtol(name + letters, &end, 10);
    if (name[letters] == '\0' || *end != '\0' || n < 1 || n > QUADRATURE_MAX_NODES) {
        MIP_FAIL(MIP_E_CONFIG, accepted_forms,
                 "quadrature '%s' is not a rule name followed by 1..%d nodes", name,
                 QUADRATURE_MAX_NODES);
    }
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (strlen(rules[i].name) == letters && strncmp(rules[i].name, name, letters) == 0) {
            if (n < rules[i].least) {
                MIP_FAIL(MIP_E_CONFIG, accepted_forms, "quadrature '%s' needs at least %d nodes",
                         name, rules[i].least);
            }
            rules[i].make((int)n, out);
            if (out->n != (int)n) {
                MIP_FAIL(MIP_E_INTERNAL, NULL, "quadrature '%s': found %d of %ld nodes", name,
                         out->n, n);
            }
            return MIP_OK;
        }
    }
    MIP_FAIL(MIP_E_CONFIG, accepted_forms, "unknown quadrature '%s'", name);
}

bool quadrature_has_one(const quadrature *q) {
    return q->node[q->n - 1] == 1.0;
}

mip_status quadrature_interpolate(const quadrature *q, double low, double high, double *weight) {
    quadrature exact; // degree 2n - 1 on [low, high]
    gauss(q->n, &exact);
    if (exact.n != q->n) {
        MIP_FAIL(MIP_E_INTERNAL, NULL, "gauss%d: found %d nodes", q->n, exact.n);
    }
    for (int k = 0; k < q->n; k++) {
        weight[k] = 0;
        for (int i = 0; i < exact.n; i++) {
            const double x = low + (high - low) * exact.node[i];
            double basis = 1;
            for (int m = 0; m < q->n; m++) {
                basis *= m == k ? 1.0 : (x - q->node[m]) / (q->node[k] - q->node[m]);
            }
            weight[k] += (high - low) * exact.weight[i] * basis;
        }
    }
    return MIP_OK;
}
