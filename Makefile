# Every command of this project, one line each: what they do lives in stack/, sim/ and test/.
# Variables reach the programs as they are: make up SEED=7 BOOT=native, make sim TICKS=200.
.DEFAULT_GOAL := help
.PHONY: help up down clean status logs viewer reload prices verify doctor sim record tune why golden recall leak bias mutation drill boards pictures check test bench rehearse

# The Node of package.json comes first, so that an older one on the machine does not matter.
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
installed := node_modules/.package-lock.json

help: ## this list
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

up: $(installed) ## start everything and wait until it works
	@tsx stack/main.ts up

down: $(installed) ## stop everything; data and logs stay
	@tsx stack/main.ts down

clean: $(installed) ## stop everything and remove data and logs
	@tsx stack/main.ts down --state

status: $(installed) ## what runs, and whether it answers
	@tsx stack/main.ts status

logs: $(installed) ## follow the logs; of one service with S=tempo
	@tsx stack/main.ts logs $(S)

viewer: $(installed) viewer/dist/main.js ## the boards in a browser without a Grafana; installs 430 MB once
	@tsx stack/main.ts viewer

reload: $(installed) ## check a policy file and put it in force: POLICY=…
	@tsx stack/main.ts reload

prices: $(installed) ## put grafana/prices.yaml and budgets.yaml in force, live
	@tsx stack/main.ts prices

verify: $(installed) ## follow one marked tick through every backend
	@tsx stack/main.ts verify

doctor: $(installed) ## tools, versions, ports and who holds them, memory, disk
	@tsx stack/main.ts doctor

sim: $(installed) ## play beside what runs: TICKS=200 SEED=7
	@tsx sim/main.ts

record: $(installed) ## write down traffic to tune with: SEED=7 TICKS=40 PRESET=chaos
	@tsx stack/main.ts record

tune: $(installed) ## what a policy keeps and loses of a recording: A=… B=… RECORDING=… SWEEP=slow-call=1s..5s
	@tsx stack/main.ts tune

why: $(installed) ## why one trace of a recording is kept or dropped: TRACE=…
	@tsx stack/main.ts why

golden: $(installed) ## write what the shipped list does into collector/README.md
	@tsx stack/main.ts golden

recall: $(installed) ## send 300,000 traces that must be kept: COUNT=… SEED=…
	@tsx stack/main.ts recall

leak: $(installed) ## send secrets of every kind, and look for them at every exit: N=100000 SEED=…
	@tsx stack/main.ts leak

bias: $(installed) ## estimate from kept traces alone, against the truth: SEED=…
	@tsx stack/main.ts bias

mutation: $(installed) ## make mistakes in the shipped list, and see each found out
	@tsx stack/main.ts mutation

drill: $(installed) ## kill, starve and flood it, and account for every span: DRILL=kill KILLS=200
	@tsx stack/main.ts drill

boards: $(installed) ## write the dashboards and price rules from their source
	@tsx grafana/source/generate.ts

pictures: $(installed) ## photograph the boards of the running Grafana for the README
	@tsx grafana/source/pictures.ts

check: $(installed) ## types, lint and unit tests; needs no servers
	@tsc --project .
	@biome check --error-on-warnings
	@tsx --test $$(git ls-files --cached --others --exclude-standard '*.test.ts' ':!test')

test: check ## everything: check, then the real servers
	@tsx --test --test-concurrency=1 $$(git ls-files --cached --others --exclude-standard 'test/*.test.ts')

bench: $(installed) ## measure speed and size, as ratios within one run
	@tsx stack/bench.ts

rehearse: $(installed) ## try the Docker boot, crashes included, beside what runs; needs an engine
	@tsx stack/rehearse.ts

$(installed): package.json package-lock.json
	@command -v npm >/dev/null || { echo 'npm is not installed: install Node.js 20 or newer from nodejs.org' >&2; exit 1; }
	@npm ci --no-audit --no-fund --loglevel=error
	@touch $@

viewer/node_modules/.package-lock.json: viewer/package.json viewer/package-lock.json
	@echo "installing Grafana's component libraries in viewer/node_modules, once: 430 MB"
	@cd viewer && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

viewer/dist/main.js: viewer/node_modules/.package-lock.json $(wildcard otlp/json.ts viewer/*.ts viewer/src/*)
	@cd viewer && npm run --silent build
