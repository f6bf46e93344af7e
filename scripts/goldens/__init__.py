# SPDX-License-Identifier: Apache-2.0
# scripts/goldens - modules of make_goldens.py; one module per kind of golden file.
