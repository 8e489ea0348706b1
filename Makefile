# Two commands: `make demo` and `make test`. Each does all of its own set-up.
SHELL := /bin/bash
BIN := .venv/bin
export PATH := $(CURDIR)/.venv/bin:$(PATH)
NETWORK_ROLES := preflight peer_ssh cx7_network
SERVICE_ROLES := rdma_verify rdma_verify_nccl uv_env hf_weights vllm_image vllm_serve inspect_eval apply_beside_evaluation vllm_bench
# On VM hosts. Not a part of `test`: under emulation on two processors they take longer than all the rest. CI runs the first one.
VM_SCENARIOS := rdma_verify_vm rdma_faults_vm cx7_network_vm cx7_network_manager_vm

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-down test test-wheel lint unit molecule molecule-vm molecule-down lock test-services test-aside faults chaos

help:  ## Show the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:  ## Make .venv with everything pinned
	@scripts/setup

demo: setup  ## The main job on the lab: two hosts, preflight to evaluate, a report
	@scripts/demo

demo-down: setup  ## Take down what `make demo` started
	@twinspark lab down --name lab

# Two jobs beside each other, each with a lab of its own: one waits for its hosts while the other works.
test: setup  ## Lint, unit and contract tests, one Molecule scenario a role
	@$(MAKE) --no-print-directory --keep-going --jobs=2 test-services test-aside

test-services:
	@scripts/molecule --only $(SERVICE_ROLES)

test-aside:
	@scripts/aside scripts/lint
	@scripts/aside pytest tests -m 'not lab and not long'
	@TWINSPARK_MOLECULE_LAB=molecule-network scripts/aside scripts/molecule roles_alone $(NETWORK_ROLES)

test-wheel: setup  ## The wheel in a bare container, without this checkout: a site, every verb, the stages up to the weights
	@scripts/wheel-test

lint: setup  ## ansible-lint (production), yamllint, ruff, mypy, shellcheck, the pages of docs/
	@scripts/lint

unit: setup  ## Unit and contract tests
	@pytest tests -m 'not lab'

molecule: setup  ## Molecule on a lab of its own (ROLE=rdma_verify for one role)
ifdef ROLE
	@scripts/$(if $(filter %_vm,$(ROLE)),molecule-vm,molecule --only) $(ROLE)
else
	@scripts/molecule roles_alone $(NETWORK_ROLES) $(SERVICE_ROLES)
endif

faults: setup  ## Every fault of the served pair, on a lab of its own, with its times (an hour)
	@scripts/faults $(ARGS)

chaos: setup  ## A random row of faults for an hour (SEED=1 MINUTES=10)
	@scripts/faults --chaos $(or $(SEED),$(shell date +%s)) $(MINUTES)

molecule-vm: setup  ## Molecule on VM hosts, with real RDMA, reboots and cut connections; slow without KVM
	@scripts/molecule-vm $(VM_SCENARIOS)

molecule-down: setup  ## Take down the labs of the Molecule scenarios
	@twinspark lab down --name molecule
	@twinspark lab down --name molecule-network
	@twinspark lab down --name molecule-vm

lock: setup  ## Write the pins anew from pyproject.toml
	@scripts/lock
