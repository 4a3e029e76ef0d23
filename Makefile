# What a newcomer needs is `make run` and `make test`; the rest is for those who stay.

TOLLGATE := target/release/tollgate
LISTEN ?= 127.0.0.1:8080
CALL := {\"subject\":\"user123\",\"provider\":\"gemini\",\"model\":\"gemini-2.5-flash\",\"usage\":{\"input_tokens\":1000,\"output_tokens\":500}}
export TOLLGATE

.PHONY: run build plugins test test-openapi test-python soak bench lint wasm-target languages smtp

run: build
	@echo
	@echo "Worth trying, from another terminal:"
	@echo
	@echo "  curl -s $(LISTEN)/v1/check -H 'content-type: application/json' -d '$(CALL)'"
	@echo "  curl -s $(LISTEN)/v1/usage -H 'content-type: application/json' -d '$(CALL)'"
	@echo "  curl -s $(LISTEN)/api/subscription/usage/user123"
	@echo
	@exec $(TOLLGATE) serve --listen $(LISTEN)

## The service in target/release and the policies' plugins in policies/.
build: wasm-target
	cargo build --release --locked
	@plugins/build.sh

wasm-target:
	@plugins/wasm-target.sh >/dev/null

## What plugins in C, JavaScript and Python are built with, as far as this machine can have it; the
## tests skip the rest. LANGUAGES= wants none.
languages:
	@plugins/languages.sh >/dev/null

## A real SMTP server for the tests of e-mail, where there is Python; they are skipped elsewhere.
smtp:
	@tests/notifications/smtp/setup.sh

## All tests: the plugins' rules natively, the crates', the program as a black box, the description
## of its interface against its answers, and the Python package.
test: build languages smtp
	cargo test --manifest-path plugins/Cargo.toml --workspace --locked
	cargo test --release --workspace --locked
	@tests/openapi/schemathesis.sh
	@host/clients/python/test.sh

## Thousands of questions made from /openapi.json, and whether the answers are as described there;
## skipped, saying so, where there is no Python 3.10 or no pip.
test-openapi: build
	@tests/openapi/schemathesis.sh

## The Python package alone; skipped, saying so, where there is no Python 3.9 or no pip.
test-python: build
	@host/clients/python/test.sh

## What `make test` does a few times, for hours if need be: kills the service under load for
## ROUNDS rounds, audits the ledger over CASES random histories, cuts the power CUTS times, and
## damages its files DAMAGES times. A failure names its seed, or the steps that led to it.
soak: ROUNDS ?= 50
soak: CASES ?= 10000
soak: CUTS ?= 5000
soak: DAMAGES ?= 2000
soak: build
	TOLLGATE_SOAK_ROUNDS=$(ROUNDS) cargo test --release --workspace --locked --test tests durability::kill
	PROPTEST_CASES=$(CASES) cargo test --release --workspace --locked --test ledger model
	TOLLGATE_POWER_CUTS=$(CUTS) cargo test --release --workspace --locked --test power
	TOLLGATE_DAMAGES=$(DAMAGES) cargo test --release --workspace --locked --test ledger damage

bench: build
	cargo bench --workspace --locked

## Formatting and clippy, guests included, warnings denied.
lint: wasm-target
	cargo fmt --all --check
	cargo fmt --all --check --manifest-path plugins/Cargo.toml
	cargo clippy --release --workspace --all-targets --locked -- -D warnings
	cargo clippy --manifest-path plugins/Cargo.toml --workspace --all-targets --locked -- -D warnings
