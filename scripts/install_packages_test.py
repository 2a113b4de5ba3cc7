#!/usr/bin/python3
"""Tests of install_packages.sh, with stand-ins for the commands that it calls."""

import os
import shutil
import subprocess
import tempfile
import unittest

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "install_packages.sh")

PACKAGES = """\
# a comment
[run]        # the first group
alpha
beta         # with a reason

[test]
gamma"""


class InstallPackagesTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        os.makedirs(os.path.join(self.folder, "scripts"))
        os.makedirs(os.path.join(self.folder, "bin"))
        shutil.copy(SCRIPT, os.path.join(self.folder, "scripts"))
        with open(os.path.join(self.folder, "packages.txt"), "w", encoding="utf-8") as file:
            file.write(PACKAGES)
        for tool in ("env", "grep", "dirname", "bash"):
            os.symlink(shutil.which(tool), os.path.join(self.folder, "bin", tool))
        self.log = os.path.join(self.folder, "log")

    def command(self, name, body):
        """Puts a command into the only folder that the script finds commands in."""
        path = os.path.join(self.folder, "bin", name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"#!/bin/bash\n{body}\n")
        os.chmod(path, 0o755)

    def installed(self, *names):
        cases = "".join(f"{name}) echo installed;; " for name in names)
        self.command("dpkg-query", f'case ${{!#}} in {cases} gamma) echo not-installed;; '
                                   "*) exit 1;; esac")

    def apt_get(self, update=0, install=0):
        self.command("apt-get", f'echo "$DEBIAN_FRONTEND $*" >>"{self.log}"\n'
                                f'case "$*" in *update) exit {update};; *) exit {install};; esac')

    def run_script(self, *groups, **environment):
        result = subprocess.run(
            ["/bin/bash", os.path.join(self.folder, "scripts", "install_packages.sh"), *groups],
            env={"PATH": os.path.join(self.folder, "bin"), **environment},
            capture_output=True, text=True, check=False)
        calls = []
        if os.path.exists(self.log):
            with open(self.log, encoding="utf-8") as file:
                calls = file.read().splitlines()
        return result.returncode, result.stdout + result.stderr, calls

    def test_nothing_missing_means_nothing_done(self):
        self.installed("alpha", "beta")
        self.apt_get()
        self.assertEqual(self.run_script("run"), (0, "", []))

    def test_installs_what_is_missing_of_the_groups(self):
        self.installed("beta")
        self.apt_get()
        self.command("sudo", 'exec "$@"')
        status, _, calls = self.run_script("run", "test")
        self.assertEqual(status, 0)
        self.assertEqual(len(calls), 2)
        self.assertTrue(calls[0].endswith(" update"))
        self.assertTrue(calls[1].endswith(" install --yes --no-install-recommends alpha gamma"))
        self.assertTrue(all(call.startswith("noninteractive ") for call in calls))

    def test_update_that_fails_is_not_the_end(self):
        self.installed("beta")
        self.apt_get(update=100)
        self.command("sudo", 'exec "$@"')
        self.assertEqual(self.run_script("run")[0], 0)

    def test_says_what_is_missing_where_it_cannot_install(self):
        self.installed("beta")
        self.apt_get(install=100)
        self.command("sudo", 'exec "$@"')
        status, output, _ = self.run_script("run", "test")
        self.assertEqual(status, 1)
        self.assertIn("these Debian packages are missing: alpha gamma", output)

    def test_says_what_is_missing_where_there_is_no_apt_get(self):
        status, output, _ = self.run_script("run")
        self.assertEqual(status, 1)
        self.assertIn("no apt-get", output)
        self.assertIn("missing: alpha beta", output)

    @unittest.skipIf(os.geteuid() == 0, "root needs no sudo")
    def test_says_what_is_missing_where_there_is_no_sudo(self):
        self.installed("beta")
        self.apt_get()
        status, output, calls = self.run_script("run")
        self.assertEqual((status, calls), (1, []))
        self.assertIn("no sudo", output)
        self.assertIn("missing: alpha", output)

    def test_can_be_told_to_keep_out(self):
        self.installed()
        self.assertEqual(self.run_script("run", MODMEM_SKIP_PACKAGES="1"), (0, "", []))

    def test_refuses_unknown_group(self):
        status, output, _ = self.run_script("everything")
        self.assertEqual(status, 1)
        self.assertIn("no group everything", output)


if __name__ == "__main__":
    unittest.main()
