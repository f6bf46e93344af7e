/* SPDX-License-Identifier: Apache-2.0 */
/* tests/plugins/other_version_backend.c - a plugin of a later interface that does not look
 * at the host's: the host must. */
#include <stddef.h>

#include <mip/backend.h>

const mip_backend *mip_backend_entry(uint32_t abi, const mip_host_services *host);

const mip_backend *mip_backend_entry(uint32_t abi, const mip_host_services *host) {
    static const mip_backend table = {
        .abi = MIP_BACKEND_ABI + 41, .struct_size = sizeof(mip_backend), .name = "other"};
    (void)abi;
    (void)host;
    return &table;
}
