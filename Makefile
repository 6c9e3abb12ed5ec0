# Every target that builds first runs scripts/bootstrap, which takes a tenth of a second when all is in place.

SWIFT ?= swift
# One set of flags for builds, tests and documentation, so that none compiles again what another has built.
SWIFT_FLAGS := -c release -Xswiftc -enable-testing
DESCENT := .build/release/descent
RUN := runs/fashion-mnist
# More arguments for descent, swift test, or the scripts of a target: make fit ARGS="--seed 7".
ARGS ?=

LIBRARIES := Interchange RunLog Settings Plots Torch TensorFiles Proximal Solvers ConvexNetworks Optimizers Networks \
	Structure Datasets Estimators Training Descent
DOCUMENTED := $(foreach library,$(LIBRARIES),$(if $(wildcard Sources/$(library)),$(library)))
FORMATTED := $(wildcard Sources Tests Benchmarks Examples Package.swift)

.DEFAULT_GOAL := help
.PHONY: help fit build test bench study docs lint clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

fit: ## train a network on Fashion-MNIST and say where the results lie
	@scripts/bootstrap
	$(SWIFT) build $(SWIFT_FLAGS) --product descent
	$(DESCENT) fit fashion-mnist --out $(RUN) $(ARGS)
	@for result in "Model:model.safetensors" "Numbers and certificate:report.json" "Page:report.html"; do \
		if [ -f "$(RUN)/$${result#*:}" ]; then printf '%-12s %s\n' "$${result%%:*}" "$(RUN)/$${result#*:}"; fi; \
	done

build: ## build the command line, .build/release/descent
	@scripts/bootstrap --no-data
	$(SWIFT) build $(SWIFT_FLAGS) --product descent

test: ## run all tests, or some: make test ARGS="--filter Proximal"
	@scripts/bootstrap
	$(SWIFT) build $(SWIFT_FLAGS) --build-tests
	$(SWIFT) build $(SWIFT_FLAGS) --product descent
# Left to build by itself, `swift test` would add a flag of its own and compile everything anew.
	$(SWIFT) test $(SWIFT_FLAGS) --skip-build $(ARGS)

bench: ## measure against the peers named in Benchmarks
	@scripts/bootstrap
	Benchmarks/run $(ARGS)

study: build ## the comparisons behind the defaults and the experiments, about four hours on two cores
	Benchmarks/run study $(ARGS)
	@for experiment in Experiments/*.yaml; do \
		$(DESCENT) compare $$experiment || echo "$$experiment was left out: see above"; \
	done

docs: ## build the documentation of every library
	@scripts/bootstrap --no-data
	$(SWIFT) package $(SWIFT_FLAGS) generate-documentation $(addprefix --target ,$(DOCUMENTED)) $(ARGS)

lint: ## check the formatting
	$(SWIFT) format lint --strict --recursive $(FORMATTED)

clean: ## remove what was built; runs, LibTorch and data stay
	rm -rf .build Examples/.build Benchmarks/.build
