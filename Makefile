# Every target works on a fresh clone with a Rust toolchain and a C compiler. `make help` lists them.

CARGO ?= cargo

.DEFAULT_GOAL := help
.PHONY: help bench demo test test-az reliability mutants lint verify generate cluster cluster-down cluster-binary

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Play the controller through incidents in simulated Azure and Kubernetes
	@$(CARGO) run --quiet --locked -- demo

# Many of them wait for a real API server or a simulated day and not for a core.
test: export RUST_TEST_THREADS ?= 4
test: ## Run the tests; what needs more than Rust says that it was skipped
	$(CARGO) test --locked

test-az: ## The Azure CLI itself against the sandbox (needs Python and PyPI: 730 MB and a minute, once)
	@tests/az.sh

lint: ## Formatting and lints, warnings are errors
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings

generate: ## Write crds/ and everything else that is generated
	ROLECALL_REGENERATE=1 $(CARGO) test --locked --test it generated

verify: generate ## Generated files are up to date: leaves a clean tree
	git diff --exit-code -- crds charts docs tests/cluster/rbac.yaml

reliability: ## Every fault at every call, and 100,000 random schedules (twenty minutes, and once five to build)
	RUST_LIB_BACKTRACE=0 $(CARGO) test --locked --profile fast --test reliability -- --nocapture

mutants: ## Break the shipped code in one way after another, and want the tests to notice (a quarter of an hour)
	tests/mutants.sh

bench: ## Print the figures of docs/performance.md, and fail when a bound is broken (optimised build: minutes, once)
	$(CARGO) bench --locked --profile fast --bench figures -- --large

cluster: ## Start a kube-apiserver, simulated Azure and the operator here, to try it with kubectl (needs Go and kubectl)
	@tests/cluster/up.sh

cluster-down: ## Stop what `make cluster` started
	@tests/cluster/up.sh down

cluster-binary: ## Build the kube-apiserver of the tests (needs Go; minutes, once); `make test` then uses it
	@tests/cluster/build.sh
