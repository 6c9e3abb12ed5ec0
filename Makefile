# Every target that builds first runs scripts/bootstrap, which takes a tenth of a second when all is in place.

SWIFT ?= swift
# One set of flags for builds, tests and documentation, so that none compiles again what another has built.
SWIFT_FLAGS := -c release -Xswiftc -enable-testing
DESCENT := .build/release/descent
RUN := runs/fashion-mnist
# LibTorch leaks tables at its start; freed blocks in quarantine would count as memory that was not given back.
ASAN := detect_leaks=0:quarantine_size_mb=1:thread_local_quarantine_size_kb=16
# More arguments for descent, swift test, or the scripts of a target: make fit ARGS="--seed 7".
ARGS ?=

LIBRARIES := Interchange RunLog Settings Plots Torch Proximal Solvers ConvexNetworks Optimizers Trajectories \
	Networks Programs Structure Datasets Estimators Training Reports Descent DescentCommands
DOCUMENTED := $(foreach library,$(LIBRARIES),$(if $(wildcard Sources/$(library)),$(library)))
FORMATTED := $(wildcard Sources Tests Fuzz Benchmarks Examples Package.swift)

.DEFAULT_GOAL := help
.PHONY: help fit build test fuzz sanitize bench study docs lint clean

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

fuzz: ## give every parser a million damaged inputs, an hour: make fuzz ARGS="--seconds 60 csv"
	@scripts/bootstrap --no-data
	scripts/fuzz $(ARGS)

sanitize: ## run the tests of the shim and of the parsers under the address sanitizer
	@scripts/bootstrap --no-data
	$(SWIFT) build -c debug --scratch-path .build-sanitize --sanitize=address --build-tests
	SWIFT_BACKTRACE=enable=no ASAN_OPTIONS=$(ASAN) $(SWIFT) test -c debug --scratch-path .build-sanitize \
		--sanitize=address --skip-build --filter '^(TorchTests|InterchangeTests|DatasetsTests|StructureTests)\.' $(ARGS)

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

lint: ## check the formatting, and what the targets import
	$(SWIFT) format lint --strict --recursive $(FORMATTED)
	scripts/check-targets

clean: ## remove what was built; runs, LibTorch and data stay
	rm -rf .build .build-fuzz .build-sanitize Examples/.build Benchmarks/.build
