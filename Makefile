# Every command of this project, one line each: what they do stands in stack/commands/, sim/ and grafana/source/.
# Variables reach the programs as they are: make up SEED=7 BOOT=native, make sim TICKS=200.
.DEFAULT_GOAL := help
.PHONY: help up down clean status logs doctor sim viewer verify boards pictures tune why record reload golden prices check test recall mutation bias leak drill bench rehearse

# The Node of package.json comes first, so that an older one on the machine does not matter.
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
installed := node_modules/.package-lock.json

help: ## this list
	@sed -nE -e 's/^## (.*)/\n\1/p' -e 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

## Run

up: $(installed) ## start everything and wait until it works: BACKENDS=tempo,phoenix,jaeger POLICY=…
	@tsx stack/main.ts up

down: $(installed) ## stop everything; data and logs stay
	@tsx stack/main.ts down

clean: $(installed) ## stop everything and remove data and logs
	@tsx stack/main.ts down --state

status: $(installed) ## what runs, and whether it answers
	@tsx stack/main.ts status

logs: $(installed) ## follow the logs; of one service with S=tempo
	@tsx stack/main.ts logs $(S)

doctor: $(installed) ## tools, versions, ports and who holds them, memory, disk
	@tsx stack/main.ts doctor

sim: $(installed) ## play beside what runs: TICKS=200 SEED=7
	@tsx sim/main.ts

## Look

viewer: $(installed) viewer/dist/main.js ## the boards in a browser without a Grafana; installs 430 MB once
	@tsx stack/main.ts viewer

verify: $(installed) ## follow one marked tick through every backend
	@tsx stack/main.ts verify

boards: $(installed) ## write the dashboards and price rules from their source
	@tsx grafana/source/generate.ts

pictures: $(installed) ## photograph the boards of the running Grafana for the README
	@tsx grafana/source/pictures.ts

## Tune

tune: $(installed) ## what a policy keeps and loses of a recording: A=… B=… RECORDING=… SWEEP=slow-call=1s..5s
	@tsx stack/main.ts tune

why: $(installed) ## why one trace of a recording is kept or dropped: TRACE=…
	@tsx stack/main.ts why

record: $(installed) ## write down traffic to tune with: SEED=7 TICKS=40 PRESET=chaos
	@tsx stack/main.ts record

reload: $(installed) ## check a policy file and put it in force: POLICY=…
	@tsx stack/main.ts reload

golden: $(installed) ## write what the shipped list makes of the recording into docs/measured/tune.md
	@tsx stack/main.ts golden

prices: $(installed) ## put grafana/prices.yaml and budgets.yaml in force, live
	@tsx stack/main.ts prices

## Prove

check: $(installed) ## types, lint and unit tests; needs no servers
	@tsc --project .
	@biome check --error-on-warnings
	@tsx --test $$(git ls-files --cached --others --exclude-standard '*.test.ts' ':!test')

test: check ## everything: check, then the real servers
	@tsx --test --test-concurrency=1 $$(git ls-files --cached --others --exclude-standard 'test/*.test.ts')

recall: $(installed) ## send 300,000 traces that must be kept: COUNT=… SEED=…
	@tsx stack/main.ts recall

mutation: $(installed) ## make mistakes in the shipped list, and see each found out
	@tsx stack/main.ts mutation

bias: $(installed) ## estimate from kept traces alone, against the truth: SEED=…
	@tsx stack/main.ts bias

leak: $(installed) ## send secrets of every kind, and look for them at every exit: N=100000 SEED=…
	@tsx stack/main.ts leak

drill: $(installed) ## kill, starve and flood it, and account for every span: DRILL=kill KILLS=200
	@tsx stack/main.ts drill

bench: $(installed) ## measure speed and size, as ratios within one run
	@tsx stack/commands/bench.ts

rehearse: $(installed) ## try the Docker boot, crashes included, beside what runs; needs an engine
	@tsx stack/commands/rehearse.ts

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
