# The front door. `make` runs the embedded studies; `make help` lists the rest.

PYTHON ?= python3
BIN := .venv/bin
EMBEDDED := benchmark campaigns
DOWNLOADED := petitions countries protests reviews policing bodycams attention
export PYTHONHASHSEED := 0

.DEFAULT_GOAL := all
.PHONY: all study data real new-study register archive why dag verify bench test lab clean lock help

all: .venv/ready          ## run the embedded studies: raw data to data/processed/ and reports/
	@$(BIN)/python -m analysis.run $(EMBEDDED)
	@$(MAKE) --no-print-directory reports/index.html

study: .venv/ready        ## run one study: make study NAME=campaigns; PROFILE=full draws more
	@$(BIN)/python -m analysis.run $(NAME) $(if $(PROFILE),-p profile=$(PROFILE))
	@$(MAKE) --no-print-directory reports/index.html

data: .venv/ready         ## download the public data of the other studies, pinned by sha256
	@$(BIN)/python -m analysis.download

real: .venv/ready         ## run the studies on downloaded data (after make data)
	@$(BIN)/python -m analysis.run $(DOWNLOADED)
	@$(MAKE) --no-print-directory reports/index.html

# All studies on one page, from their manifests alone.
reports/index.html: $(wildcard reports/*/manifest.json)
	@$(BIN)/python -m analysis.report.across

new-study: .venv/ready    ## start a study of your own: make new-study NAME=mine
	@test -n "$(NAME)" || { echo "say its name: make new-study NAME=mine"; exit 2; }
	@test ! -e studies/$(NAME).yml || { echo "studies/$(NAME).yml exists already"; exit 2; }
	@sed -e 's/^name: .*/name: $(NAME)/' -e '/^# The log only grows/,/^$$/d' studies/campaigns.yml > studies/$(NAME).yml
	@echo "studies/$(NAME).yml is a copy of the campaigns' study: change it from top to bottom, then make study NAME=$(NAME)"

register: .venv/ready     ## register a study's hypotheses ahead of its first run: make register NAME=mine
	@$(BIN)/python -m analysis.study.register $(NAME)

archive: .venv/ready      ## pack what is committed, reports included, into one file
	@git archive --format=zip --prefix=clicks-to-change/ --output=clicks-to-change.zip HEAD && echo clicks-to-change.zip

why: .venv/ready          ## say which notebooks would run, and what changed
	@$(BIN)/python -m analysis.run --why $(EMBEDDED)

dag: .venv/ready          ## draw the graph of the embedded studies, as a Mermaid flowchart
	@$(BIN)/python -m analysis.run --dag $(EMBEDDED)

verify: .venv/ready       ## re-run the committed reports in a temporary folder and compare
	@$(BIN)/python -m analysis.report.verify $(NAME)

bench: .venv/ready        ## measure speed as ratios, into docs/benchmarks.md
	@$(BIN)/python -m analysis.bench --write docs/benchmarks.md

test: .venv/ready         ## run every test, the linter and the type checker
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/mypy
	@$(BIN)/python -m pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder

lab: .venv/ready          ## open JupyterLab with the project's kernel
	@$(BIN)/jupyter lab --notebook-dir=.

clean:                    ## delete what can be rebuilt: processed tables, caches, the environment; reports/ stays
	rm -rf .clicks .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find data/processed -mindepth 1 ! -name README.md -delete
	rm -rf .venv

lock: .venv/ready         ## renew requirements.lock from pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --group dev --all-extras --universal --python-version 3.11 --generate-hashes \
		--no-annotate --custom-compile-command "make lock" --upgrade --output-file requirements.lock

help:                     ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS='	' read -r name text; do \
		printf '  make %-9s %s\n' "$$name" "$$text"; done

# uv is taken from the lock like everything else; bytecode is compiled once, so that kernels start fast.
.venv/ready: requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 or newer is needed: PYTHON=/path/to/python3 make"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { $(PYTHON) --version; echo "Python 3.11 or newer is needed: PYTHON=/path/to/python3 make"; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "The venv module is missing: on Debian, apt-get install python3-venv"; exit 1; }
	@echo "setting up .venv (once; about a minute)"
	@sed -n '/^uv==/,/^[^ ]/{/^uv==/p;/^ /p}' requirements.lock > .venv/uv.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r .venv/uv.lock
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m compileall -q -j 0 .venv/lib src || true
	@$(BIN)/python -m analysis.run.kernel
	@touch $@
