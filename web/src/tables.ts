// Tables that are sorted by a press on a column's head.

import type { Account, OwnerRow, Run } from "./data";
import { h, section } from "./dom";
import { bytes, clock, count, duration, flags } from "./format";
import type { State } from "./state";

interface Column<Row> {
  title: string;
  hint?: string;
  value: (row: Row) => number | string;
  show?: (row: Row) => Node | string;
}

const firstRows = 25;

export function table<Row>(caption: string, columns: Column<Row>[], rows: Row[], sortBy: string): HTMLElement {
  let sorted = columns.findIndex((column) => column.title === sortBy);
  let descending = true;
  let all = false;
  const body = h("tbody");
  const heads = columns.map((column, at) => {
    const numeric = rows.length > 0 && typeof column.value(rows[0]) === "number";
    const button = h("button", { type: "button", title: column.hint ?? "" }, column.title);
    button.addEventListener("click", () => {
      descending = sorted === at ? !descending : numeric;
      sorted = at;
      render();
    });
    return h("th", { scope: "col", class: numeric ? "number" : "" }, button);
  });
  const more = h("button", { type: "button", class: "more" });
  more.addEventListener("click", () => {
    all = !all;
    render();
  });
  const render = (): void => {
    const order = [...rows];
    if (sorted >= 0) {
      const { value } = columns[sorted];
      order.sort((a, b) => {
        const [x, y] = [value(a), value(b)];
        const sign = x < y ? -1 : x > y ? 1 : 0;
        return descending ? -sign : sign;
      });
    }
    heads.forEach((head, at) => {
      head.setAttribute("aria-sort", at !== sorted ? "none" : descending ? "descending" : "ascending");
    });
    body.replaceChildren(
      ...(all ? order : order.slice(0, firstRows)).map((row) =>
        h(
          "tr",
          {},
          ...columns.map((column) => {
            const value = column.value(row);
            const numeric = typeof value === "number";
            return h("td", { class: numeric ? "number" : "" }, column.show?.(row) ?? (numeric ? count(value) : value));
          }),
        ),
      ),
    );
    more.hidden = rows.length <= firstRows;
    more.textContent = all ? `Show ${firstRows}` : `Show all ${count(rows.length)}`;
  };
  render();
  return h(
    "div",
    { class: "table", role: "region", "aria-label": caption, tabindex: "0" },
    h("table", {}, h("caption", {}, caption), h("thead", {}, h("tr", {}, ...heads)), body),
    more,
  );
}

const mean = (sum: number, ended: number): number => (ended === 0 ? 0 : sum / ended);

function accountColumns<Row extends Account>(state: State, rows: Row[]): Column<Row>[] {
  return [
    ...(rows.some((row) => row.live > 0) ? [{ title: "live at end", value: (row: Row) => row.live, show: (row: Row) => bytes(row.live) }] : []),
    { title: "peak", hint: "Most bytes that lived at a time", value: (row) => row.peak, show: (row) => bytes(row.peak) },
    { title: "churn", hint: "Bytes of all requests that were served", value: (row) => row.churn, show: (row) => bytes(row.churn) },
    { title: "requests", value: (row) => row.allocations },
    { title: "failed", value: (row) => row.failures },
    state.hasTime
      ? {
          title: "mean lifetime",
          hint: "Of blocks that ended",
          value: (row) => mean(row.lived_us, row.ended),
          show: (row) => (row.ended === 0 ? "–" : duration(mean(row.lived_us, row.ended))),
        }
      : {
          title: "mean lifetime",
          hint: "In events, of blocks that ended; the trace has no times",
          value: (row) => mean(row.lived_events, row.ended),
          show: (row) => (row.ended === 0 ? "–" : `${count(Math.round(mean(row.lived_events, row.ended)))} events`),
        },
  ];
}

const siteName = (run: Run, site: number): string => run.sites.names[site] || "unknown site";

export function ownersSection(state: State): HTMLElement {
  const { owners, other_owners, others, owners_begun } = state.run;
  const isTree = owners.some((row) => row.within !== "");
  const again = owners.some((row) => row.times > 1);
  return section(
    "owners",
    "Owners",
    h(
      "p",
      { class: "hint" },
      `The system, and ${count(owners_begun)} that began${isTree ? ": pipelines, and the modules and buffers in them" : ""}. ` +
        (again ? "Those of the same name that have ended are one row." : ""),
    ),
    table(
      "Owners",
      [
        { title: "owner", value: (row) => row.name },
        ...(isTree
          ? [
              { title: "what", value: (row: OwnerRow) => (row.within === "" ? row.kind : `${row.kind} in ${row.within}`) },
              { title: "peak with all in it", value: (row: OwnerRow) => row.tree_peak, show: (row: OwnerRow) => bytes(row.tree_peak) },
            ]
          : []),
        ...(again ? [{ title: "times", value: (row: OwnerRow) => row.times }] : []),
        ...accountColumns(state, owners),
        {
          title: "began",
          value: (row) => row.begin_event,
          show: (row) => (state.hasTime ? clock(row.begin_us, state.span) : `event ${count(row.begin_event)}`),
        },
        {
          title: "ended",
          value: (row) => row.end_event ?? Number.MAX_SAFE_INTEGER,
          show: (row) => (row.end_event === null ? "lives" : state.hasTime ? clock(row.end_us ?? 0, state.span) : `event ${count(row.end_event)}`),
        },
      ],
      owners,
      isTree ? "peak with all in it" : "peak",
    ),
    other_owners === 0
      ? null
      : h("p", { class: "muted" }, `And ${count(other_owners)} more that have ended, with peaks of at most ${bytes(others.peak)}: ${count(others.allocations)} requests, ${bytes(others.churn)} in all, ${count(others.failures)} failed.`),
  );
}

export function sitesSection(state: State): HTMLElement {
  const { sites } = state.run;
  const disguised = sites.rows.filter((row) => row.disguised > 0);
  return section(
    "sites",
    "Call sites",
    h(
      "p",
      { class: "hint" },
      disguised.length === 0
        ? "No site takes a page or more without saying that it is a large buffer."
        : `${count(disguised.length)} ${disguised.length === 1 ? "site takes" : "sites take"} a page or more without the flag for large buffers: buffers in disguise, which policies with a heap for large buffers put elsewhere.`,
    ),
    table(
      "Call sites",
      [
        {
          title: "call site",
          value: (row) => siteName(state.run, row.site),
          show: (row) =>
            h("span", {}, h("code", {}, siteName(state.run, row.site)), row.disguised === 0 ? "" : h("span", { class: "badge", title: `${count(row.disguised)} requests, ${bytes(row.disguised_bytes)}` }, "buffer in disguise")),
        },
        ...accountColumns(state, sites.rows),
        { title: "largest", value: (row) => row.largest, show: (row) => bytes(row.largest) },
        { title: "in disguise", hint: "Requests for a page or more without the flag for large buffers", value: (row) => row.disguised },
      ],
      sites.rows,
      "peak",
    ),
    sites.other_sites === 0
      ? null
      : h("p", { class: "muted" }, `And ${count(sites.other_sites)} more with peaks of at most ${bytes(sites.others.peak)}.`),
  );
}

const reasons: Record<string, string> = {
  pool: "the pool had no frame left that it might have",
  limit: "a limit of its owner, or of one above, would have been passed",
  guarantee: "what was left is guaranteed to others",
  alignment: "no free place has this alignment",
  slots: "no slot of its size was free",
  unsupported: "this platform has no such memory",
  fragmentation: "there is enough memory, but no piece that is large enough",
};

export function failuresSection(state: State): HTMLElement {
  const { failures, figures } = state.run;
  if (figures.failures === 0) {
    return section("failures", "Failures", h("p", { class: "good" }, "Every request was served."));
  }
  const items = failures.map((failure) => {
    const time = state.hasTime ? `, ${clock(failure.time_us, state.span)}` : "";
    const go = h("button", { type: "button", click: () => state.choose(state.bucketOfEvent(failure.event)) }, "show in the timeline");
    const why = failure.explained
      ? `Why: ${reasons[failure.reason] ?? failure.reason}. ${bytes(failure.free_bytes)} could have been used at best; ` +
        `a request of ${bytes(failure.largest_request)} would still have succeeded.` +
        (failure.guarantee === "" ? "" : ` Guarantees: ${failure.guarantee}.`)
      : "Why: what it belongs to had been refused before: its owner, or the block that it resizes.";
    return h(
      "li",
      {},
      h(
        "details",
        {},
        h("summary", {}, h("b", {}, bytes(failure.bytes)), ` for ${failure.owner} from `, h("code", {}, failure.site || "unknown site"), h("span", { class: "muted" }, ` event ${count(failure.event)}${time}`)),
        h("p", {}, why),
        h("p", { class: "muted" }, `Alignment ${failure.alignment === 0 ? "natural" : failure.alignment}, flags: ${flags(failure.flags)}.`),
        failure.holders.length === 0 ? null : h("p", {}, "Held most: ", failure.holders.map(({ name, bytes: held }) => `${name}: ${bytes(held)}`).join(", "), "."),
        go,
      ),
    );
  });
  const rest = figures.failures - failures.length;
  items[0]?.querySelector("details")?.setAttribute("open", "");
  return section(
    "failures",
    "Failures",
    h("p", { class: "bad" }, `${count(figures.failures)} of ${count(figures.allocations)} requests failed.`),
    h("ol", { class: "failures" }, ...items.slice(0, firstRows)),
    items.length <= firstRows
      ? null
      : h("details", {}, h("summary", {}, `${count(items.length - firstRows)} more with their explanations`), h("ol", { class: "failures", start: firstRows + 1 }, ...items.slice(firstRows))),
    rest > 0 ? h("p", { class: "muted" }, `And ${count(rest)} more.`) : null,
  );
}

export function leaksSection(state: State): HTMLElement {
  const { leftovers, sites, figures } = state.run;
  const left = sites.rows.filter((row) => row.left_blocks > 0);
  return section(
    "leaks",
    "Never freed",
    leftovers.length === 0
      ? h("p", { class: "good" }, "Nothing lives at the end of the trace.")
      : h(
          "div",
          {},
          h("p", {}, `${bytes(figures.live_bytes_at_end)} live at the end of the trace: leaks, but for streams that still play.`),
          table(
            "Live at the end",
            [
              { title: "owner", value: (row) => row.owner },
              { title: "call site", value: (row) => siteName(state.run, row.site), show: (row) => h("code", {}, siteName(state.run, row.site)) },
              { title: "blocks", value: (row) => row.blocks },
              { title: "bytes", value: (row) => row.bytes, show: (row) => bytes(row.bytes) },
            ],
            leftovers,
            "bytes",
          ),
        ),
    left.length === 0
      ? h("p", { class: "good" }, "No block was left for the end of its owner to take back.")
      : h(
          "div",
          {},
          h("p", {}, "Blocks that were never freed one by one, and ended with their owner:"),
          table(
            "Left to the end of their owner",
            [
              { title: "call site", value: (row) => siteName(state.run, row.site), show: (row) => h("code", {}, siteName(state.run, row.site)) },
              { title: "blocks", value: (row) => row.left_blocks },
              { title: "bytes", value: (row) => row.left_bytes, show: (row) => bytes(row.left_bytes) },
            ],
            left,
            "bytes",
          ),
        ),
  );
}
