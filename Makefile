# Every command of this project, one line each. The programs are in stack/commands/, sim/ and grafana/source/.
# Variables are passed to the programs unchanged: make up SEED=7 BOOT=native, make sim TICKS=200.
.DEFAULT_GOAL := help
.PHONY: help up down clean status logs doctor sim example inspect viewer explain evaluate verify boards pictures tune why limit record reload golden prices plan check test recall mutation bias sdks leak drill bench scale examples rehearse

# The Node of package.json comes first on PATH, so an older one on the machine does not matter.
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
# The usual shell, by a name that make does not know as such. So make hands it every line, as it would a line with a pipe. The make of
# macOS (3.81, gnumake-136) starts a plain line by itself, looks for the program on its own PATH, not on the one above, and finds no tsx.
SHELL := /bin/./sh
# Programs start with node --import tsx. The command tsx would stand between: at a Ctrl-C it kills a program that computes for 60 ms, and
# the servers that the program has started go on.
installed := node_modules/.package-lock.json

help: ## show this list
	@awk -F ':.*## ' '/^## / { print ""; print substr($$0, 4) } /^[a-z]+:.*## / { printf "  make %-9s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

## Run

up: $(installed) ## start everything and wait until it works: BACKENDS=tempo,phoenix,jaeger POLICY=… TIERS=2x3
	@node --import tsx stack/main.ts up

down: $(installed) ## stop everything; data and logs stay
	@node --import tsx stack/main.ts down

clean: $(installed) ## stop everything and remove data and logs
	@node --import tsx stack/main.ts down --state

status: $(installed) ## show which services run, and whether they answer
	@node --import tsx stack/main.ts status

logs: $(installed) ## follow the logs of all services, or of one: S=tempo
	@node --import tsx stack/main.ts logs $(S)

doctor: $(installed) ## check tools, versions, free ports, memory and disk
	@node --import tsx stack/main.ts doctor

sim: $(installed) ## run the simulator once more beside the running stack: TICKS=200 SEED=7
	@node --import tsx stack/main.ts sim

example: $(installed) ## run the agent of another SDK once, and show where to look: NAME=langgraph
	@node --import tsx stack/main.ts example

## Look

inspect: $(installed) ## say what works for a service that sends here, and what is missing: SERVICE=my-agents SINCE=2m
	@node --import tsx stack/main.ts inspect

viewer: $(installed) viewer/dist/main.js ## show the boards in a browser without a Grafana; the first time, it installs Grafana's components
	@node --import tsx stack/main.ts viewer

explain: $(installed) ## say what happened in one kept trace: TRACE=… or LAST=failed|slow|costly AGENT=fox SERVICE=… FORMAT=html
	@node --import tsx stack/main.ts explain

evaluate: $(installed) ## judge a kept trace after the fact: TRACE=… NAME=helpful LABEL=pass|fail SCORE=0.7 WHY=… AGENT=fox BY=human|llm|code
	@node --import tsx stack/main.ts evaluate

verify: $(installed) ## send one marked tick and find it in every backend
	@node --import tsx stack/main.ts verify

boards: $(installed) ## write the dashboards and price rules from their source
	@node --import tsx grafana/source/generate.ts

pictures: $(installed) ## make the pictures of the README from the running Grafana
	@node --import tsx grafana/source/pictures.ts

## Tune

tune: $(installed) ## show what a policy list keeps and loses of a recording: A=… B=… RECORDING=… SWEEP=slow-call=1s..5s
	@node --import tsx stack/main.ts tune

why: $(installed) ## show why one trace of a recording is kept or dropped: TRACE=…
	@node --import tsx stack/main.ts why

limit: $(installed) ## write a list that keeps at most so many GB a day: GB=20 POLICY=…
	@node --import tsx stack/main.ts limit

record: $(installed) ## write a recording for make tune: SEED=7 TICKS=40 PRESET=chaos
	@node --import tsx stack/main.ts record

reload: $(installed) ## check a policy file and put it in force: POLICY=…
	@node --import tsx stack/main.ts reload

golden: $(installed) ## write what the shipped list keeps of the recording to docs/measured/tune.md
	@node --import tsx stack/main.ts golden

prices: $(installed) ## put grafana/prices.yaml and budgets.yaml in force in the running stack
	@node --import tsx stack/main.ts prices

plan: $(installed) ## say what a load needs in two tiers: SPANS=50000/s SPANS_PER_TRACE=… KB=… RUN=60s KEPT=10% WITHOUT_ROOT=… BACKENDS=…
	@node --import tsx stack/main.ts plan

## Prove

check: $(installed) ## run type check, lint and unit tests; needs no servers
	@tsc --project .
	@biome check --error-on-warnings
	@tsx --test $$(git ls-files --cached --others --exclude-standard '*.test.ts' ':!test')

test: check ## run everything: make check, then the tests with real servers
	@node --import tsx stack/commands/build-servers.ts
	@tsx --test --test-concurrency=2 $$(git ls-files --cached --others --exclude-standard 'test/*.test.ts')

recall: $(installed) ## send traces that must be kept, and count the lost ones: COUNT=… SEED=…
	@node --import tsx stack/main.ts recall

mutation: $(installed) ## make mistakes in the shipped list, and test that each is found
	@node --import tsx stack/main.ts mutation

bias: $(installed) ## estimate from kept traces alone, and compare with all traces: SEED=…
	@node --import tsx stack/main.ts bias

sdks: $(installed) ## send what real SDKs sent, and show what each of them gets
	@node --import tsx stack/main.ts sdks

leak: $(installed) ## send secrets of every kind, and search for them in every output: N=100000 SEED=…
	@node --import tsx stack/main.ts leak

drill: $(installed) ## kill, block and flood the servers, and account for every span: DRILL=kill KILLS=50
	@node --import tsx stack/main.ts drill

bench: $(installed) ## measure speed and size, as ratios within one run: BENCH=speed BASE=a-commit-to-compare-with
	@node --import tsx stack/commands/bench.ts

scale: $(installed) ## measure two tiers against one Collector, and check make plan: COUNT=… MINUTES=10
	@node --import tsx stack/main.ts scale

examples: $(installed) ## run the agents of other SDKs against a stack of their own, and test what is stored: NAME=…
	@node --import tsx stack/main.ts examples

rehearse: $(installed) ## test the Docker boot, with crashes, beside the running stack; needs a Docker engine
	@node --import tsx stack/commands/rehearse.ts

# What npm says is not the answer of a command, which may go to a file.
$(installed): package.json package-lock.json
	@command -v npm >/dev/null || { echo 'npm is not installed: install Node.js 20 or newer from nodejs.org' >&2; exit 1; }
	@npm ci --no-audit --no-fund --loglevel=error >&2
	@touch $@

viewer/node_modules/.package-lock.json: viewer/package.json viewer/package-lock.json
	@echo "installing Grafana's component libraries in viewer/node_modules, once: this may take some minutes"
	@cd viewer && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

viewer/dist/main.js: viewer/node_modules/.package-lock.json $(wildcard otlp/json.ts explain/*.ts viewer/*.ts viewer/src/*)
	@cd viewer && npm run --silent build
