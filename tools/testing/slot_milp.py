"""The best table of slots as a mixed-integer linear program, which Debian's CBC solves.

A *request* is (arrival, departure, size class), times being positions in the order of events; the
classes are sizes, each twice the one before. The program has, for each class k, grains m_k (whole
pages of slots, of which each has g_k slots and takes p_k pages), and says what a heap of slots does:

    x[r,k]  request r gets a slot of class k; z[r]: it fails; one of them is 1
    f[r,k]  class k has a free slot when r arrives:
            free[r,k] = g_k m_k - sum of x[q,k] over requests q that live then
            f[r,k] <= free[r,k] <= most f[r,k]
    x[r,k] <= f[r,k]                                        only free slots
    f[r,k] <= sum of x[r,j] over classes j from r's to k    the first class that has one

so that nothing is left to the solver but the table. It minimises the pages of a table without
failures; within a budget, failures first and pages then.
"""

import collections
import os
import subprocess
import tempfile

Best = collections.namedtuple("Best", "pages failures")

SOLVER = "cbc"


def solve(requests, sizes, page, budget_pages=None, bundles=10):
    """The Best that any table can do for `requests`."""
    program = _Program(requests, sizes, page, budget_pages, bundles)
    with tempfile.TemporaryDirectory(prefix="modmem-milp-") as folder:
        model = os.path.join(folder, "model.lp")
        solution = os.path.join(folder, "solution.txt")
        with open(model, "w", encoding="ascii") as file:
            file.write(program.text())
        subprocess.run([SOLVER, model, "ratioGap", "0", "allowableGap", "0", "solve", "solution",
                        solution], check=True, stdout=subprocess.DEVNULL, timeout=300)
        with open(solution, encoding="ascii") as file:
            status, *lines = file.read().splitlines()
    if not status.startswith("Optimal"):
        raise RuntimeError(f"{SOLVER}: {status}")
    values = {name: round(float(value)) for _, name, value, *_ in map(str.split, lines)}
    pages = sum(grain_pages * values.get(f"m{k}", 0)
                for k, (_, grain_pages) in enumerate(program.grains))
    return Best(pages, sum(values.get(f"z{r}", 0) for r in range(len(requests))))


class _Program:
    def __init__(self, requests, sizes, page, budget_pages, bundles):
        self.requests = requests
        self.grains = [(max(page // size, 1), max(size // page, 1)) for size in sizes]
        self.budget_pages = budget_pages
        self.bundles = bundles
        # No table needs more slots of a size than there are requests.
        self.most = [-(-len(requests) // slots) for slots, _ in self.grains]

    def text(self):
        classes = range(len(self.grains))
        requests = range(len(self.requests))
        weight = 1 + sum(pages * most for (_, pages), most in zip(self.grains, self.most))
        pages = [f"{grain_pages} m{k}" for k, (_, grain_pages) in enumerate(self.grains)]
        objective = pages + [f"{weight} z{r}" for r in requests]
        rows = [row for r in requests for row in self._request(r)]
        rows += [f"m{k} - {self.most[k]} y{k} <= 0" for k in classes]
        rows.append(" + ".join(f"y{k}" for k in classes) + f" <= {self.bundles}")
        if self.budget_pages is None:
            rows += [f"z{r} = 0" for r in requests]
        else:
            rows.append(" + ".join(pages) + f" <= {self.budget_pages}")
        binaries = [f"z{r}" for r in requests] + [f"y{k}" for k in classes]
        binaries += [f"{name}{r}_{k}" for r in requests for k in self._fitting(r) for name in "xf"]
        return "\n".join(["Minimize", " obj: " + " + ".join(objective), "Subject To",
                          *(f" c{i}: {row}" for i, row in enumerate(rows)), "Bounds",
                          *(f" 0 <= m{k} <= {self.most[k]}" for k in classes), "Generals",
                          " " + " ".join(f"m{k}" for k in classes), "Binaries",
                          " " + " ".join(binaries), "End", ""])

    def _fitting(self, r):
        return range(self.requests[r][2], len(self.grains))

    def _request(self, r):
        """What holds for one request."""
        arrival = self.requests[r][0]
        yield " + ".join(f"x{r}_{k}" for k in self._fitting(r)) + f" + z{r} = 1"
        for k in self._fitting(r):
            slots = self.grains[k][0]
            living = "".join(f" - x{q}_{k}" for q, (begin, end, size_class)
                             in enumerate(self.requests)
                             if begin < arrival < end and size_class <= k)
            free = f"{slots} m{k}{living}"
            yield f"{free} - f{r}_{k} >= 0"
            yield f"{free} - {slots * self.most[k]} f{r}_{k} <= 0"
            yield f"x{r}_{k} - f{r}_{k} <= 0"
            before = "".join(f" - x{r}_{j}" for j in self._fitting(r) if j <= k)
            yield f"f{r}_{k}{before} <= 0"
