/* SPDX-License-Identifier: Apache-2.0 */
/* examples/attribute.c - which neurons carry an answer? The C library in one page.
 *
 * Usage   attribute MODEL QUESTION ANSWER [PICTURE]...
 *         attribute demo/model/vanilla "Who is this person?" "Nobody." face.png
 * Prints  what the model says itself, the log probability of ANSWER, and per layer the neurons of
 *         the greedy path, best first.
 * Build   cc -o attribute attribute.c $(pkg-config --cflags --libs mip) */
#include <stdio.h>
#include <stdlib.h>

#include <mip/mip.h>

enum { TOP_K = 5, MOST_TOKENS = 32, TEXT_BYTES = 1024 };

static int fail(void) {
    fprintf(stderr, "error: %s\nhint: %s\n", mip_error_message(), mip_error_hint());
    return EXIT_FAILURE;
}

/* The greedy answer: a prompt without an answer, then ids, then text. */
static mip_status say(mip_model *model, const char *question, int n_pictures,
                      const char *const *pictures) {
    mip_prompt *prompt = NULL;
    int32_t ids[MOST_TOKENS];
    char text[TEXT_BYTES];
    int64_t n = 0;
    mip_status status = mip_prompt_create(model, question, NULL, n_pictures, pictures, &prompt);
    if (status == MIP_OK) {
        status = mip_generate(model, prompt, MOST_TOKENS, ids, &n);
    }
    if (status == MIP_OK) {
        status = mip_decode(model, ids, n, text, sizeof text, NULL);
    }
    if (status == MIP_OK) {
        printf("model says: %s\n", text);
    }
    mip_prompt_destroy(prompt);
    return status;
}

/* Scores of one stack into buffers of our own, and the path on paper. */
static mip_status locate(mip_model *model, const mip_prompt *prompt, mip_modality stack,
                         const char *name) {
    static const char *const settings[] = {"attribute.quadrature=radau3"};
    const int64_t layers = mip_model_layers(model, stack);
    const int64_t neurons = mip_model_neurons(model, stack);
    mip_attribution a = {.struct_bytes = sizeof a, .top_k = TOP_K};
    mip_status status = MIP_E_NOMEM;
    a.score = calloc((size_t)(layers * neurons), sizeof *a.score);
    a.path = calloc((size_t)(layers * TOP_K), sizeof *a.path);
    if (a.score != NULL && a.path != NULL) {
        status = mip_attribute(model, prompt, stack, settings, 1, &a);
    }
    if (status == MIP_OK) {
        printf("%s: log p(answer) %.4f\n", name, a.logp);
        for (int64_t l = 0; l < layers; l++) {
            printf("%s layer %lld:", name, (long long)l);
            for (int k = 0; k < TOP_K; k++) {
                const int32_t neuron = a.path[l * TOP_K + k];
                printf(" %d (%.3g)", (int)neuron, (double)a.score[l * neurons + neuron]);
            }
            printf("\n");
        }
    }
    free(a.score);
    free(a.path);
    return status;
}

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "usage: %s MODEL QUESTION ANSWER [PICTURE]...\n", argv[0]);
        return 2;
    }
    const int n_pictures = argc - 4;
    const char *const *pictures = (const char *const *)argv + 4;
    mip_model *model = NULL;
    mip_prompt *prompt = NULL;
    mip_status status = mip_model_open(argv[1], NULL, 0, &model);
    if (status == MIP_OK) {
        status = say(model, argv[2], n_pictures, pictures);
    }
    if (status == MIP_OK) {
        status = mip_prompt_create(model, argv[2], argv[3], n_pictures, pictures, &prompt);
    }
    if (status == MIP_OK) {
        status = locate(model, prompt, MIP_TEXT, "text");
    }
    if (status == MIP_OK && n_pictures > 0) {
        status = locate(model, prompt, MIP_VISION, "vision");
    }
    const int code = status == MIP_OK ? EXIT_SUCCESS : fail();
    mip_prompt_destroy(prompt);
    mip_model_close(model);
    return code;
}
