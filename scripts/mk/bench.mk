# SPDX-License-Identifier: Apache-2.0
# scripts/mk/bench.mk - the benchmark against PyTorch; see bench/README.md.

## bench: mip attribute beside a plain loop in PyTorch (says what Python it needs)
.PHONY: bench
bench: all
	@bench/attribute.sh

## bench-plan: memory as planned beside memory as measured (demo; SmolLM2 after make real)
.PHONY: bench-plan
bench-plan: all
	@bench/plan.sh
