# make demo: color the sample photographs, then open the app. make test: everything that is checked.
# The first command of any kind sets up .venv from the pinned requirements; later ones reuse it.

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.stamp-$(shell cat requirements.txt pyproject.toml | sha256sum | cut -c1-16)
DATA ?=
OUT ?= runs/bundled
# -n 2: two test processes, each on one thread
PYTEST := $(BIN)/python -m pytest -n 2

.PHONY: setup demo app test lint quick docs notebook slides train bench course-table fuzz torture clean

setup: $(STAMP)

$(STAMP):
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer, please")'
	@test ! -L .venv || { echo ".venv is a link, and what it leads to would be emptied"; exit 1; }
	$(PYTHON) -m venv --clear .venv
	@# --no-compile: Python compiles what is imported, a small part of it, then
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile -r requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

demo: $(STAMP)
	$(BIN)/pix2pix colorize resources/samples -o demo --overwrite
	@echo "Colored photographs are in demo/"
ifndef NO_APP
	$(BIN)/python app/app.py
endif

app: $(STAMP)
	$(BIN)/python app/app.py

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/oxlint pix2pix docs scripts
	$(BIN)/oxfmt --check '{pix2pix,docs,scripts}/**/*.js' '{pix2pix,docs,scripts}/**/*.css'

# the site into build/site, without network; tests/test_docs.py builds it for `make test`
docs: $(STAMP)
	$(BIN)/mkdocs build --strict --quiet

test: lint
	$(PYTEST)

quick: lint
	$(PYTEST) -m "not slow and not browser"

# The course and the notebooks of course/ top to bottom, without a browser; NOTEBOOK=course/x.ipynb
# one of them. WRITE=1 stores the outputs, HTML=folder makes pages, DATA=photos/ trains on those.
NOTEBOOK ?= Pix2PixColor.ipynb $(wildcard course/*.ipynb)
notebook: $(STAMP)
	$(if $(WRITE),$(BIN)/python scripts/make_colab.py)
	$(BIN)/python scripts/run_notebook.py $(NOTEBOOK) --mode laptop \
	  $(if $(DATA),--data "$(DATA)") $(if $(WRITE),--write) $(if $(HTML),--html "$(HTML)")
	$(if $(WRITE),$(BIN)/python scripts/make_colab.py)

# build/slides/*.html: cells tagged `slide` and `on-slide`, outputs as they are stored
slides: $(STAMP)
	$(BIN)/python scripts/make_slides.py

train: $(STAMP)
	@test -n "$(DATA)" || { echo "make train DATA=folder-or-zip-of-photos [OUT=runs/bundled]"; exit 1; }
	scripts/train_bundled.sh "$(DATA)" "$(OUT)"

# one table of ratios within the run, and build/bench.json. QUICK=1 takes a sample, ONLY="floor nets"
# some sections
bench: $(STAMP)
	$(BIN)/python benchmarks/run.py $(if $(QUICK),--plan quick) $(if $(ONLY),--only $(ONLY))

# what the course quotes of its drawn worlds, with seeds, and its pictures: into resources/course
course-table: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python scripts/course_table.py

# mutated pictures of every format: nothing but errors with a code. RUNS=100000 takes minutes
RUNS ?= 20000
fuzz: $(STAMP)
	$(BIN)/python scripts/fuzz_images.py --runs $(RUNS) --out build/fuzz

# strangers, bombs, kills, bad folders, metadata: one line a count. QUICK=1 takes a sample
torture: $(STAMP)
	$(BIN)/python scripts/torture.py $(if $(QUICK),--quick)

clean:
	rm -rf .venv demo build dist *.egg-info .cache .pytest_cache .mypy_cache .ruff_cache
