SHELL := /bin/bash -euo pipefail
PYTHON ?= python3.11
BIN := .venv/bin
INSTALL := deploy/install.sh
STATIC := $(shell find lsp_portal/static -type f 2>/dev/null)
export UV_SYSTEM_CERTS ?= true

.PHONY: env env-hub5 run test test-hub5 test-cluster chaos bench lint types lock migrations-check vendor clean

env: .venv/.ready .venv-hub/.ready .venv/oidc-provider/.ready var/static/staticfiles.json

env-hub5: env .venv-hub5/.ready

.venv/.ready: requirements-uv.txt requirements-dev.txt
	PYTHON=$(PYTHON) $(INSTALL) .venv requirements-dev.txt

.venv-hub/.ready: requirements-hub.txt deploy/proxy/package.json | .venv/.ready
	PYTHON=$(PYTHON) $(INSTALL) .venv-hub requirements-hub.txt
	deploy/install-hub.sh .venv-hub

.venv-hub5/.ready: requirements-hub5.txt deploy/proxy/package.json | .venv/.ready
	PYTHON=$(PYTHON) $(INSTALL) .venv-hub5 requirements-hub5.txt
	deploy/install-hub.sh .venv-hub5

.venv/oidc-provider/.ready: deploy/oidc-provider/package.json deploy/oidc-provider/server.js | .venv-hub/.ready
	deploy/install-oidc-provider.sh .venv/oidc-provider .venv-hub

var/static/staticfiles.json: $(STATIC) .venv/.ready
	$(BIN)/python manage.py collectstatic --noinput --clear -v 0

run: env
	$(BIN)/python -m deploy.demo.run

test: env lint types
	deploy/install-browser.sh
	$(BIN)/pytest -n 2 -m "not hub and not browser"
	$(BIN)/pytest -m "hub or browser"

test-hub5: env-hub5
	LSP_HUB_ENV=.venv-hub5 $(BIN)/pytest -m hub

# The cluster of KUBECONFIG; its address must be given in CLUSTER_HOST, since tests reach no other.
test-cluster: env
	$(BIN)/pytest tests/kubernetes/contract --kubeconfig=$(KUBECONFIG) --allow-hosts=127.0.0.1,::1,localhost,$(CLUSTER_HOST)

chaos: env
	EVENT_STORIES=2000 LADDER_STORIES=500 EVIDENCE_STORIES=1000 $(BIN)/pytest tests/sessions/events/test_any_order.py tests/sessions/reconciling/test_more_evidence.py tests/sessions/test_enforcement_bound.py
	EXPORT_PROGRAMS=1 $(BIN)/pytest -s tests/accounting/test_export_kills.py
	CHAOS_SESSIONS=$${CHAOS_SESSIONS:-1500} CHAOS_SECONDS=$${CHAOS_SECONDS:-900} CHAOS_SEED=$${CHAOS_SEED:-$$RANDOM} $(BIN)/pytest -s tests/chaos

bench: env
	$(BIN)/python -m tests.bench

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/djlint --check --quiet templates

types: env
	$(BIN)/mypy

lock: .venv/.ready
	for list in requirements requirements-dev requirements-hub requirements-hub5 requirements-node requirements-uv; do \
		$(BIN)/$(COMPILE) $$list.in -o $$list.txt; \
	done

COMPILE := uv pip compile --quiet --no-config --python-version 3.11 --generate-hashes --no-header --no-emit-index-url

migrations-check: env
	$(BIN)/python manage.py makemigrations --check --dry-run

vendor:
	deploy/vendor.sh

clean:
	rm -rf .venv .venv-hub .venv-hub5 var .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
