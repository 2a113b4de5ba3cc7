#!/usr/bin/python3
"""Tests of what `make install` leaves: programs in C find it, link it and run, in every usual way.

    install_library_test.py BUILD_DIR [unittest's arguments]
"""

import os
import pathlib
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "scripts" / "install_library.sh"
HELLO = ROOT / "examples" / "c" / "hello.c"
GREETING = "1 kB of module memory\n"
WARNINGS = ("-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror")

PROJECT = """\
cmake_minimum_required(VERSION 3.25)
project(consumer LANGUAGES C)
find_package(modmem 0.1 REQUIRED)
foreach(target modmem modmem_static)
  add_executable(with_${target} hello.c)
  target_link_libraries(with_${target} PRIVATE modmem::${target})
endforeach()
add_executable(with_testing test.c)
target_link_libraries(with_testing PRIVATE modmem::testing)
"""

# Exits with status 0 where the leak in it was found, and the one failure that it asked for.
LEAKING_TEST = """\
#include <modmem/testing.h>
#include <rtos/alloc.h>

int main(void) {
  modmem_testing_begin();
  modmem_testing_fail_nth(2);
  if (rmalloc(0, 100) == NULL || rmalloc(0, 100) != NULL) {
    return 1;
  }
  return modmem_testing_end() == 1 ? 0 : 1;
}
"""

build_dir = ""


def run(*command, env=None, **options):
    """Runs the command; `env` is added to the environment. Returns what it printed."""
    result = subprocess.run([str(word) for word in command], env={**os.environ, **(env or {})},
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            check=False, **options)
    if result.returncode != 0:
        raise AssertionError(f"{command} gave {result.returncode}:\n{result.stdout}")
    return result.stdout


def install(prefix, destdir="", **options):
    return subprocess.run(["bash", SCRIPT, build_dir, str(prefix)],
                          env={**os.environ, "DESTDIR": str(destdir)}, capture_output=True,
                          text=True, check=False, **options)


def tree(folder):
    """What is installed there: files, and links with what they point to."""
    found = set()
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found.add(f"{name} -> {os.readlink(path)}")
        elif not path.is_dir():
            found.add(name)
    return found


def needed(binary):
    """The shared libraries that the program or library asks for."""
    lines = run("readelf", "--dynamic", "--wide", binary, env={"LC_ALL": "C"}).splitlines()
    libraries = {line.split("[")[1].rstrip("]") for line in lines if "(NEEDED)" in line}
    # The dynamic linker is part of the C library.
    return {name for name in libraries if not name.startswith("ld-linux")}


class InstallTest(unittest.TestCase):
    # Staged by somebody with a private umask, with spaces on the way, and then moved: nothing may
    # depend on where it was built, staged or installed to.
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="modmem install "))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        stage = cls.folder / "a stage"
        cls.result = install("/opt/an audio library", stage, umask=0o077)
        if cls.result.returncode != 0:
            raise AssertionError(cls.result.stdout + cls.result.stderr)
        cls.prefix = cls.folder / "moved here"
        (stage / "opt" / "an audio library").rename(cls.prefix)
        cls.left = tree(stage)
        cls.lib = cls.prefix / "lib"

    def setUp(self):
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="a program ", dir=self.folder))
        shutil.copy(HELLO, self.work / "prog.c")
        (self.work / "test.c").write_text(LEAKING_TEST, encoding="utf-8")

    def check_program(self, program, shared, **env):
        self.assertEqual(run(program, env=env), GREETING)
        self.assertEqual(needed(program),
                         {"libmodmem.so.0", "libc.so.6"} if shared else {"libc.so.6"})
        self.assertNotIn("libstdc++", run("ldd", program, env=env))

    def pkg_config(self, *arguments):
        words = run("pkg-config", *arguments, "modmem",
                    env={"PKG_CONFIG_PATH": str(self.lib / "pkgconfig")})
        return words.strip()

    def test_installs_exactly_this(self):
        headers = {f"include/{path.relative_to(ROOT / 'capi' / 'include')}"
                   for path in (ROOT / "capi" / "include").rglob("*.h")}
        self.assertIn("include/rtos/alloc.h", headers)
        self.assertEqual(tree(self.prefix), headers | {
            "lib/libmodmem.a",
            "lib/libmodmem_testing.a",
            "lib/libmodmem.so -> libmodmem.so.0",
            "lib/libmodmem.so.0 -> libmodmem.so.0.1.0",
            "lib/libmodmem.so.0.1.0",
            "lib/pkgconfig/modmem.pc",
            "lib/cmake/modmem/modmemConfig.cmake",
            "lib/cmake/modmem/modmemConfigVersion.cmake"})
        self.assertEqual(self.left, set())

    def test_everybody_may_read_it(self):
        for path in self.prefix.rglob("*"):
            wanted = 0o555 if path.is_dir() else 0o444
            self.assertEqual(stat.S_IMODE(path.stat().st_mode) & wanted, wanted, path)

    def test_names_no_place(self):
        for path in (self.lib / "pkgconfig" / "modmem.pc", *(self.lib / "cmake").rglob("*.cmake")):
            text = path.read_text(encoding="utf-8")
            for place in (str(self.folder), build_dir, str(ROOT), "an audio library"):
                self.assertNotIn(place, text)

    def test_library_needs_the_c_library_only(self):
        self.assertEqual(needed(self.lib / "libmodmem.so"), {"libc.so.6"})
        self.assertIn("Library soname: [libmodmem.so.0]",
                      run("readelf", "--dynamic", "--wide", self.lib / "libmodmem.so"))

    # As it is for who installs to /usr/local: the compiler and the linker look there by themselves.
    def test_without_a_flag(self):
        run("cc", "prog.c", "-lmodmem", cwd=self.work,
            env={"CPATH": str(self.prefix / "include"), "LIBRARY_PATH": str(self.lib)})
        self.check_program(self.work / "a.out", True, LD_LIBRARY_PATH=str(self.lib))

    def test_with_flags(self):
        for compiler in filter(shutil.which, ("gcc", "clang")):
            with self.subTest(compiler=compiler):
                program = self.work / compiler
                run(compiler, *WARNINGS, "-I", self.prefix / "include", self.work / "prog.c",
                    "-L", self.lib, "-Xlinker", "-rpath", "-Xlinker", self.lib, "-lmodmem", "-o",
                    program)
                self.check_program(program, True)

    def test_static(self):
        for compiler in filter(shutil.which, ("gcc", "clang")):
            with self.subTest(compiler=compiler):
                program = self.work / compiler
                run(compiler, *WARNINGS, "-I", self.prefix / "include", self.work / "prog.c",
                    self.lib / "libmodmem.a", "-o", program)
                self.check_program(program, False)

    def test_entirely_static(self):
        program = self.work / "static"
        run("cc", "-static", "-I", self.prefix / "include", self.work / "prog.c", "-L", self.lib,
            "-lmodmem", "-o", program)
        self.assertEqual(run(program), GREETING)

    # In a shell, as everybody calls it: it is the shell that takes the words apart. This path has
    # no spaces, which no shell would get back out of $(pkg-config).
    def test_pkg_config(self):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(self.prefix, f"{folder}/opt", symlinks=True)
            env = {"PKG_CONFIG_PATH": f"{folder}/opt/lib/pkgconfig",
                   "LD_LIBRARY_PATH": f"{folder}/opt/lib"}
            run("sh", "-ec", "cc prog.c $(pkg-config --cflags --libs modmem) -o shared\n"
                "cc prog.c $(pkg-config --cflags modmem) -Wl,-Bstatic "
                "$(pkg-config --static --libs modmem) -Wl,-Bdynamic -o static",
                cwd=self.work, env=env)
            self.check_program(self.work / "shared", True, **env)
            self.check_program(self.work / "static", False, **env)

    def test_pkg_config_escapes_spaces(self):
        flags = self.pkg_config("--cflags", "--libs")
        run("sh", "-ec", f"cc prog.c {flags}", cwd=self.work)
        self.check_program(self.work / "a.out", True, LD_LIBRARY_PATH=str(self.lib))
        self.assertEqual(self.pkg_config("--modversion"), "0.1.0")

    def test_cmake_package(self):
        shutil.move(self.work / "prog.c", self.work / "hello.c")
        (self.work / "CMakeLists.txt").write_text(PROJECT, encoding="utf-8")
        build = self.work / "build"
        run("cmake", "-S", self.work, "-B", build, f"-DCMAKE_PREFIX_PATH={self.prefix}")
        run("cmake", "--build", build)
        self.check_program(build / "with_modmem", True)
        self.check_program(build / "with_modmem_static", False)
        self.assertIn("leak: 100 bytes", run(build / "with_testing"))

    def test_cmake_package_of_another_version(self):
        (self.work / "CMakeLists.txt").write_text(PROJECT.replace("modmem 0.1", "modmem 0.2"),
                                                  encoding="utf-8")
        with self.assertRaisesRegex(AssertionError, "version: 0.1.0"):
            run("cmake", "-S", self.work, "-B", self.work / "build",
                f"-DCMAKE_PREFIX_PATH={self.prefix}")

    def test_test_double(self):
        run("cc", "-I", self.prefix / "include", "test.c", "-L", self.lib, "-lmodmem_testing",
            "-lmodmem", cwd=self.work)
        self.assertIn("leak: 100 bytes", run("./a.out", cwd=self.work,
                                             env={"LD_LIBRARY_PATH": str(self.lib)}))

    def test_loadable_module(self):
        module = self.work / "libecho.so"
        run("cc", *WARNINGS, "-shared", "-fPIC", "-I", self.prefix / "include",
            ROOT / "examples" / "modules" / "echo.c", "-o", module)
        self.assertNotIn("libmodmem.so.0", needed(module))

    def test_relative_prefix(self):
        result = install("stage", cwd=self.work)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(tree(self.work / "stage"), tree(self.prefix))

    def test_relative_destdir(self):
        result = install("/usr", "stage", cwd=self.work)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(tree(self.work / "stage" / "usr"), tree(self.prefix))


class RefusalTest(unittest.TestCase):
    def check_refused(self, result, place):
        self.assertEqual((result.returncode, result.stdout, result.stderr),
                         (1, "", f"install: cannot write to {place}: install as root, or elsewhere "
                                 "with prefix=FOLDER or DESTDIR=FOLDER\n"))

    def test_place_is_a_file(self):
        with tempfile.NamedTemporaryFile() as file:
            self.check_refused(install(f"{file.name}/usr"), file.name)

    def test_place_is_not_writable(self):
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o555)
            # Root may write everywhere; somebody else may perhaps not read this file.
            script = pathlib.Path(folder, "install.sh")
            shutil.copy(SCRIPT, script)
            user = {"user": 65534, "cwd": "/"} if os.geteuid() == 0 else {}
            result = subprocess.run(["bash", script, build_dir, f"{folder}/deep/below"],
                                    env={"PATH": os.environ["PATH"]}, capture_output=True,
                                    text=True, check=False, **user)
            self.check_refused(result, folder)
            os.chmod(folder, 0o755)

    def test_usage(self):
        result = install("")
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertIn("usage", result.stderr)


class MakeTest(unittest.TestCase):
    def dry_run(self, *arguments):
        return run("make", "--no-print-directory", "-n", "-C", ROOT, "install", *arguments)

    def test_hands_prefix_and_destdir_on(self):
        self.assertIn("DESTDIR='/tmp/a y' scripts/install_library.sh build/release '/opt/an x'",
                      self.dry_run("prefix=/opt/an x", "DESTDIR=/tmp/a y"))

    def test_defaults(self):
        self.assertIn("DESTDIR='' scripts/install_library.sh build/release '/usr/local'",
                      self.dry_run())


if __name__ == "__main__":
    build_dir = os.path.abspath(sys.argv.pop(1))
    unittest.main()
