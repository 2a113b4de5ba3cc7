# The front door: each goal sets up what it needs and goes. The work is done by CMake and scripts/.
#
# ARGS       arguments for `modmem run`, or `make bench`, e.g. make run ARGS='--platform ptl --json -'
# PRESET     the build that `make test` tests and `make stress` runs: debug (default), release, asan-ubsan, tsan, clang
# GOALS      the goals that `make check-goals` looks at
# CONFIG     the NAME of the configs/NAME_defconfig that menuconfig edits, and run, test and install
#            build
# FRAGMENT   a file of assignments on top of that, as `modmem tune` writes it
# MACHINES   those that firmware, firmware-test, size, latency and their checks build for: cortex-m riscv xtensa
# TARGETS    the targets that fuzz runs, between commas; all where not given
# SECONDS_EACH  how long fuzz runs each of them
# ENGINE     what fuzz runs them with: libfuzzer (default) or afl
# JOBS       how many of them at a time: 1 or 2 (default)
# prefix     where `make install` installs the C library and the program: /usr/local
# DESTDIR    what goes in front of that, for packages: nothing

PRESET ?= debug
GOALS ?= 1 2 3 5 6 7
CONFIG ?= host
FRAGMENT ?=
MACHINES ?= cortex-m riscv xtensa
TARGETS ?=
SECONDS_EACH ?= 60
ENGINE ?= libfuzzer
JOBS ?= 2
prefix = /usr/local
PACKAGES = @bash scripts/install_packages.sh
CONFIGURE = @cmake >/dev/null --preset
CHOSEN = -DMODMEM_CONFIG=$(CONFIG) '-DMODMEM_FRAGMENTS=$(abspath $(FRAGMENT))'
SOURCES = git ls-files -z -- '*.cpp' '*.hpp' '*.h' '*.c'

.DEFAULT_GOAL := help
.PHONY: help run test install check check-format check-layers check-freestanding check-tidy \
  check-threads check-sanitizers check-coverage check-models stress check-goals check-tune bench format \
  compare-policies check-report-page report-page menuconfig coverage fuzz check-fuzz clean firmware firmware-test \
  size check-size size-builds latency check-latency latency-builds

help:
	@echo 'make run           build and run the program: a report of the example (ARGS=...)'
	@echo 'make test          build and run the tests, with invariant checks on (PRESET=...)'
	@echo 'make install       build and install the C library and the program (prefix=..., DESTDIR=...)'
	@echo 'make firmware      build the firmware images of all machines (MACHINES=...)'
	@echo 'make firmware-test run them in QEMU'
	@echo 'make size          measure what each feature costs in firmware, and write docs/size.md'
	@echo 'make latency       count the instructions of each call in QEMU, and write docs/latency.md'
	@echo 'make stress        threads that use one memory in every way that is allowed (ARGS=..., PRESET=...)'
	@echo 'make check         all that CI does'
	@echo '  check-format       formatting'
	@echo '  check-layers       include order'
	@echo '  check-freestanding what the freestanding libraries refer to'
	@echo '  check-tidy         clang-tidy'
	@echo '  check-latency      that no call takes more instructions than docs/latency.md says'
	@echo '  check-size         that no feature has become larger than docs/size.md says'
	@echo '  check-sanitizers   the tests with clang, AddressSanitizer and UndefinedBehaviorSanitizer'
	@echo '  check-threads      the tests with threads, under ThreadSanitizer'
	@echo '  check-models       the models of what several cores do at once, with spin'
	@echo '  check-goals        the goals of docs/benchmarks.md that are the same in every run, shortened'
	@echo '  check-tune         that a tuned table of slots beats the configured one on a whole day'
	@echo '  check-report-page  that the page of modmem report is what web/ builds, in a browser'
	@echo '  check-fuzz         that fuzzing finds what is planted, and makes a test of it'
	@echo 'make bench         measure everything, and write docs/benchmarks.md (ARGS=--quick)'
	@echo 'make format        format the sources'
	@echo 'make compare-policies   play a day at a desk under every policy'
	@echo 'make report-page   build the page of modmem report from web/'
	@echo 'make menuconfig    edit a configuration in a menu (CONFIG=...)'
	@echo 'make fuzz          fuzz each target for a while (SECONDS_EACH=60 TARGETS=... ENGINE=libfuzzer|afl)'
	@echo 'make check-coverage   that tests reach every line of the core, and nearly every branch'
	@echo 'make coverage      run the tests, see which lines they reach'
	@echo 'make clean         remove everything that was built'

run:
	$(PACKAGES) run
	$(CONFIGURE) release -DMODMEM_BUILD_TESTS=OFF $(CHOSEN)
	@cmake --build --preset release
	@scripts/run_and_report.sh build/release/modmem build $(ARGS)

test:
	$(PACKAGES) run test
	$(CONFIGURE) $(PRESET) -DMODMEM_BUILD_TESTS=ON $(CHOSEN)
	@cmake --build --preset $(PRESET)
	@ctest --preset $(PRESET) --parallel $$(nproc)

install:
	$(PACKAGES) run
	$(CONFIGURE) release -DMODMEM_BUILD_TESTS=OFF $(CHOSEN)
	@cmake --build --preset release --target modmem_installed modmem_tools_installed
	@DESTDIR='$(DESTDIR)' scripts/install_library.sh build/release '$(prefix)' c tools

# In build/MACHINE/firmware; firmware/images.txt in there lists them.
firmware:
	$(PACKAGES) run firmware
	@for machine in $(MACHINES); do \
  cmake --preset $$machine >/dev/null && cmake --build --preset $$machine || exit 1; done

firmware-test: firmware
	@failed=; for machine in $(MACHINES); do \
  /usr/bin/python3 -B firmware/run_images.py $$machine build/$$machine/firmware || failed="$$failed $$machine"; \
	done; [ -z "$$failed" ] || { echo "make: firmware fails on:$$failed" >&2; exit 1; }

# The anchors of firmware/sizes/, and that of the C interface in a build with all checks.
size-builds:
	$(PACKAGES) run firmware
	@for machine in $(MACHINES); do \
  cmake --preset $$machine >/dev/null && cmake --build --preset $$machine --target sizes && \
  cmake --preset $$machine -B build/$$machine-hardened \
    '-DMODMEM_FRAGMENTS=firmware/boards/'$$machine'.config;firmware/sizes/hardened.config' >/dev/null && \
  cmake --build build/$$machine-hardened --target size_c_api || exit 1; done

# Writes firmware/sizes.json and docs/size.md.
size: size-builds
	@/usr/bin/python3 -B scripts/size_report.py write $(MACHINES)

check-size: size-builds
	@/usr/bin/python3 -B scripts/size_report.py check $(MACHINES)

latency-builds:
	$(PACKAGES) run firmware
	@for machine in $(MACHINES); do \
  cmake --preset $$machine >/dev/null && cmake --build --preset $$machine --target latency || exit 1; done

# Writes firmware/latency.json and docs/latency.md.
latency: latency-builds
	@/usr/bin/python3 -B scripts/latency_report.py write $(MACHINES)

check-latency: latency-builds
	@/usr/bin/python3 -B scripts/latency_report.py check $(MACHINES)

check:
	@.ci/run

# Every core of a simulated DSP is a thread.
check-threads:
	$(PACKAGES) run test
	$(CONFIGURE) tsan -DMODMEM_BUILD_TESTS=ON
	@cmake --build --preset tsan --target thread-tests
	@ctest --preset tsan --label-regex threads --parallel $$(nproc)

# All of it with clang, AddressSanitizer and UndefinedBehaviorSanitizer, and all tests but those that
# play everything there is.
check-sanitizers:
	$(PACKAGES) run test
	$(CONFIGURE) asan-ubsan -DMODMEM_BUILD_TESTS=ON
	@cmake --build --preset asan-ubsan
	@ctest --preset asan-ubsan --label-exclude sweep --parallel $$(nproc)

# In the build of PRESET: debug checks invariants, tsan looks for races.
stress:
	$(PACKAGES) run test
	$(CONFIGURE) $(PRESET) -DMODMEM_BUILD_TESTS=ON
	@cmake --build --preset $(PRESET) --target modmem-stress
	@build/$(PRESET)/modmem-stress $(ARGS)

# Every state of each model; and that spin refuses those with a mistake.
check-models:
	$(PACKAGES) run models
	@/usr/bin/python3 -B scripts/check_models_test.py
	@/usr/bin/python3 -B scripts/check_models.py

# Instructions are counted under valgrind. All but goal 4, which is a matter of time. A goal that is
# missed must not get worse than bench/reached/ says, on the traces that everybody has; goal 2 is met
# with those that only some have.
check-goals:
	$(PACKAGES) run test
	$(CONFIGURE) release
	@cmake --build --preset release --target modmem-bench
	@/usr/bin/python3 -B bench/program_test.py build/release/modmem-bench
	@failed=; for goal in $(GOALS); do \
	  reached=bench/reached/goal-$$goal.json; \
  if [ $$goal = 2 ] && [ -d "$${MODMEM_SHARED:-../shared}/traces" ]; then set --; \
  elif [ -f $$reached ]; then set -- --quick --traces examples/traces --no-worse-than $$reached; \
  else set -- --quick; fi; \
  build/release/modmem-bench --goal $$goal "$$@" || failed="$$failed $$goal"; \
	done; [ -z "$$failed" ] || { echo "make: goals that are missed:$$failed" >&2; exit 1; }

# Writes docs/benchmarks.md and its plots.
bench:
	$(PACKAGES) run test bench
	$(CONFIGURE) release -DMODMEM_CONFIG=host -DMODMEM_FRAGMENTS=
	@cmake --build --preset release --target modmem modmem-bench modmem-operations
	@/usr/bin/python3 -B bench/write_benchmarks.py build/release $(ARGS)

check-format:
	$(PACKAGES) check
	@$(SOURCES) | xargs -0 -r clang-format --dry-run -Werror

check-layers:
	$(PACKAGES) run
	@/usr/bin/python3 scripts/check_layers.py

check-freestanding:
	$(PACKAGES) run
	$(CONFIGURE) release
	@cmake --build --preset release --target check-freestanding

# clang reads firmware as it is compiled for RISC-V; the ports of the other machines are left out.
check-tidy:
	$(PACKAGES) run test check firmware
	$(CONFIGURE) clang -DMODMEM_BUILD_TESTS=ON
	@scripts/check_tidy.sh build/clang
	@cmake --preset riscv >/dev/null && cmake --build --preset riscv --target recorded_trace >/dev/null
	@TIDY_FLAGS=--extra-arg=--target=riscv64-linux-gnu scripts/check_tidy.sh build/riscv \
  $$(git ls-files 'firmware/*.cpp' 'port/riscv/*.cpp' | \
  grep -v 'mps2_an386\|sim_xtensa\|memory_functions\|_test\|/sizes/')

format:
	$(PACKAGES) check
	@$(SOURCES) | xargs -0 -r clang-format -i

# The page of `modmem report` is built from web/ and checked in, so that nobody else needs node.
NPM = @command -v npm >/dev/null || bash scripts/install_packages.sh npm

report-page:
	$(PACKAGES) page
	$(NPM)
	@scripts/report_page.sh build

check-report-page:
	$(PACKAGES) run page
	$(NPM)
	$(CONFIGURE) release
	@cmake --build --preset release --target modmem modmem_example_topologies
	@scripts/report_page.sh check build/release/modmem

# The table of docs/policies.md.
compare-policies:
	$(PACKAGES) run
	$(CONFIGURE) release
	@cmake --build --preset release --target modmem modmem_example_topologies
	@scripts/compare_policies.py build/release/modmem build/release/examples/topologies/desk.tplg \
	  examples/scripts/desk-day.script

# As the tests do with a shorter day, which is all that a build with checks has time for.
check-tune:
	$(PACKAGES) run
	$(CONFIGURE) release
	@cmake --build --preset release --target modmem modmem_example_topologies
	@MODMEM_TUNE_EVENTS=20000 /usr/bin/python3 -B tools/tune_test.py build/release/modmem build/release/examples/topologies \
	  build/release/testbench/testing/topologies DayTest.test_it_beats_the_production_table_on_our_day

menuconfig:
	$(PACKAGES) run
	@/usr/bin/python3 scripts/edit_config.py --config $(CONFIG)

coverage:
	$(PACKAGES) run test coverage
	$(CONFIGURE) coverage -DMODMEM_BUILD_TESTS=ON
	@cmake --build --preset coverage
	@scripts/coverage.sh build/coverage

# A finding is stored in fuzz/found/, where the tests replay it (docs/fuzzing.md).
FUZZ_PRESET = $(if $(filter afl,$(ENGINE)),fuzz-afl,fuzz)
fuzz:
	$(PACKAGES) run test fuzz
	$(CONFIGURE) $(FUZZ_PRESET) -DMODMEM_BUILD_TESTS=ON
	@cmake --build --preset $(FUZZ_PRESET) --target fuzz-targets
	@/usr/bin/python3 -B scripts/fuzz.py --engine $(ENGINE) --seconds $(SECONDS_EACH) --jobs $(JOBS) \
  --targets '$(TARGETS)' build/$(FUZZ_PRESET)

check-fuzz:
	$(PACKAGES) run test fuzz
	$(CONFIGURE) fuzz -DMODMEM_BUILD_TESTS=ON
	@cmake --build --preset fuzz --target fuzz_heap
	@/usr/bin/python3 -B scripts/fuzz_test.py build/fuzz

# The tests of the layers that firmware links, held against what they have to reach.
check-coverage:
	$(PACKAGES) run test coverage
	$(CONFIGURE) coverage -DMODMEM_BUILD_TESTS=ON
	@cmake --build --preset coverage --target page/all heap/all memory/all module/all capi/all
	@scripts/check_coverage.py build/coverage

clean:
	@rm -rf build
