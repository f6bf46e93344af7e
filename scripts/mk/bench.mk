# SPDX-License-Identifier: Apache-2.0
# scripts/mk/bench.mk - the benchmark against PyTorch; see bench/README.md.

## bench: mip beside a plain loop and generate in PyTorch (QUICK=1: the demo model only)
.PHONY: bench
bench: all
	@bench/run.sh $(if $(filter 1,$(QUICK)),--quick)

## bench-plan: memory as planned beside memory as measured (demo; SmolLM2 after make real)
.PHONY: bench-plan
bench-plan: all
	@bench/plan.sh
