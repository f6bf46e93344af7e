/* SPDX-License-Identifier: Apache-2.0 */
/* host/api/api_model.h - what is behind the handles of mip.h. */
#ifndef MIP_API_API_MODEL_H
#define MIP_API_API_MODEL_H

#include <mip/mip.h>

#include "data/user_prompt.h"
#include "model/session.h"

struct mip_model {
    session session;
    text_front front; // members NULL until a call needs them
};

struct mip_prompt {
    const mip_model *model; // borrowed: whose prompt it is
    user_prompt made;
};

/* api_check_prompt - MIP_E_ARG unless the prompt was made for this model. */
mip_status api_check_prompt(const mip_model *model, const mip_prompt *prompt);

#endif
