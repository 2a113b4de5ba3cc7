// Several policies side by side, and what the shown one came to.

import type uPlot from "uplot";
import { makePlot } from "./charts";
import type { Run } from "./data";
import { h, section } from "./dom";
import { bytes, count, ratio } from "./format";
import type { State } from "./state";
import { color, laneColor } from "./theme";

interface Figure {
  title: string;
  value: (run: Run) => number | null;
  show: (run: Run) => string;
}

const figures: Figure[] = [
  { title: "requests that failed", value: ({ figures: f }) => f.failures, show: ({ figures: f }) => count(f.failures) },
  { title: "peak live", value: () => null, show: ({ figures: f }) => bytes(f.peak_live_bytes) },
  { title: "peak mapped", value: ({ figures: f }) => f.peak_mapped_bytes, show: ({ figures: f }) => bytes(f.peak_mapped_bytes) },
  { title: "peak mapped / live", value: ({ figures: f }) => f.peak_mapped_bytes / f.peak_live_bytes, show: ({ figures: f }) => ratio(f.peak_mapped_bytes, f.peak_live_bytes) },
  { title: "mean mapped / live", value: ({ figures: f }) => (f.mapped_bytes_mean ?? 0) / (f.live_bytes_mean || 1), show: ({ figures: f }) => ratio(f.mapped_bytes_mean, f.live_bytes_mean) },
  { title: "banks on, at most", value: ({ figures: f }) => f.peak_banks_on, show: ({ figures: f }) => count(f.peak_banks_on) },
  { title: "banks on, mean", value: ({ figures: f }) => f.banks_on_mean, show: ({ figures: f }) => f.banks_on_mean?.toFixed(2) ?? "–" },
  { title: "that live bytes need at least", value: () => null, show: ({ figures: f }) => f.banks_lower_bound_mean?.toFixed(2) ?? "–" },
  { title: "metadata", value: ({ figures: f }) => f.metadata_bytes, show: ({ figures: f }) => bytes(f.metadata_bytes) },
];

export function summary(state: State): HTMLElement {
  const { figures: f } = state.run;
  const card = (title: string, value: string, note: string, tone = ""): HTMLElement =>
    h("div", { class: `card ${tone}` }, h("dt", {}, title), h("dd", {}, value, h("small", {}, note)));
  return h(
    "dl",
    { class: "cards", "aria-label": "Summary" },
    card("Peak live", bytes(f.peak_live_bytes), `${count(f.allocations)} requests`),
    card("Peak mapped", bytes(f.peak_mapped_bytes), `${ratio(f.peak_mapped_bytes, f.peak_live_bytes)} of live`),
    card("Banks on", `${count(f.peak_banks_on)} of ${count(state.platform.banks.length)}`, `at most; ${f.banks_on_mean?.toFixed(2) ?? "–"} on average`),
    card("Failures", count(f.failures), f.failures === 0 ? "every request was served" : "explained below", f.failures === 0 ? "good" : "bad"),
    ...(state.run.lost > 0 ? [card("Lost events", count(state.run.lost), "the trace lacks them", "bad")] : []),
    card("Live at the end", bytes(f.live_bytes_at_end), `${count(state.run.leftovers.reduce((sum, row) => sum + row.blocks, 0))} blocks`),
  );
}

export function compareSection(state: State): { element: HTMLElement | null; draw: () => void } {
  const runs = state.runs;
  if (runs.length < 2) {
    return { element: null, draw: () => undefined };
  }
  const host = h("div", { class: "plot", role: "img", "aria-label": "Mapped bytes over time, a line for each policy" });
  const lineColor = (at: number): string => laneColor(at + 1);
  const legend = h(
    "ul",
    { class: "legend" },
    ...runs.map((run, at) => h("li", {}, h("span", { class: "swatch", style: `background: var(--lane-${(at + 1) % 16})` }), run.policy)),
    h("li", {}, h("span", { class: "swatch", style: "background: var(--muted)" }), "live bytes"),
  );
  const rows = figures.map(({ title, value, show }) => {
    // Who refuses requests needs less for that.
    const least = Math.min(...runs.map((run) => run.figures.failures));
    const values = runs.map((run) => (run.figures.failures === least ? value(run) : null));
    const known = values.filter((v): v is number => v !== null);
    const best = known.length > 0 ? Math.min(...known) : null;
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, title),
      ...runs.map((run, at) => {
        const isBest = best !== null && values[at] === best && runs.some((other) => value(other) !== best);
        return h("td", { class: isBest ? "number best" : "number" }, show(run), isBest ? h("span", { class: "sr" }, " (best)") : "");
      }),
    );
  });
  const element = section(
    "policies",
    "Policies side by side",
    h("p", { class: "hint" }, "Where requests fail, the other figures are not those of the same trace."),
    h(
      "div",
      { class: "table", role: "region", "aria-label": "Policies side by side", tabindex: "0" },
      h("table", {}, h("thead", {}, h("tr", {}, h("td", {}), ...runs.map((run) => h("th", { scope: "col", class: "number" }, run.policy)))), h("tbody", {}, ...rows)),
    ),
    host,
    legend,
  );
  let plot: uPlot | null = null;
  const draw = (): void => {
    plot?.destroy();
    const end = (values: number[]): number[] => [...values, values[values.length - 1] ?? 0];
    plot = makePlot(
      state,
      host,
      "Mapped bytes under each policy",
      [
        ...runs.map((run, at): uPlot.Series => ({ label: run.policy, stroke: lineColor(at), width: 1.5, points: { show: false } })),
        { label: "live", stroke: color("muted"), width: 1, dash: [4, 3], points: { show: false } },
      ],
      [...runs.map((run) => end(run.timeline.mapped)), end(state.run.timeline.live)],
      220,
    );
  };
  state.onChoice(() => plot?.redraw(false));
  return { element, draw };
}
