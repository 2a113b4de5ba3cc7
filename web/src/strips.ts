// Rows of strips on the axis of the timeline: which bank was on and how full, and what state each
// pipeline was in.

import type uPlot from "uplot";
import { h, prepareCanvas } from "./dom";
import { clock, count } from "./format";
import type { State } from "./state";
import { color } from "./theme";

const rowHeight = 12;

export interface Rows {
  kind: string; // the class of the canvas is `${kind}-map`
  names: string[];
  // What fills a row in a bucket; "" for nothing.
  fill: (row: number, bucket: number) => string;
  tell: (row: number, bucket: number) => string; // what that means
  describe: () => string; // what is so at the chosen moment
  back: () => string;
}

export class StripMap {
  readonly canvas: HTMLCanvasElement;
  readonly tip: HTMLElement;
  private left = 0; // where the plots above begin, and end
  private right = 0;

  constructor(
    private readonly state: State,
    private readonly rows: Rows,
  ) {
    this.canvas = h("canvas", { class: `strips ${rows.kind}-map`, "aria-hidden": "true" });
    this.tip = h("p", { class: `hint ${rows.kind}-text` });
    this.canvas.addEventListener("pointermove", (event) => this.show(event));
    this.canvas.addEventListener("pointerleave", () => (this.tip.textContent = rows.describe()));
    this.canvas.addEventListener("click", (event) => {
      const bucket = this.bucketAt(event.offsetX);
      if (bucket !== null) {
        state.choose(bucket);
      }
    });
  }

  private range(): [number, number] {
    const edges = this.state.edges();
    return [edges[0] ?? 0, edges[edges.length - 1] ?? 1];
  }

  private x(value: number): number {
    const [first, last] = this.range();
    const share = last > first ? (value - first) / (last - first) : 0;
    return this.left + share * (this.right - this.left);
  }

  private bucketAt(x: number): number | null {
    const [first, last] = this.range();
    const share = (x - this.left) / (this.right - this.left);
    return share < 0 || share > 1 ? null : this.state.bucketAt(first + share * (last - first));
  }

  private show(event: PointerEvent): void {
    const { event: events, time_us } = this.state.run.timeline;
    const row = Math.floor(event.offsetY / rowHeight);
    const bucket = this.bucketAt(event.offsetX);
    if (bucket === null || row < 0 || row >= this.rows.names.length) {
      return;
    }
    this.tip.textContent =
      `${this.rows.names[row]}, event ${count(events[bucket])}` +
      (this.state.hasTime ? ` (${clock(time_us[bucket], this.state.span)})` : "") +
      `: ${this.rows.tell(row, bucket)}`;
  }

  // Below `plot`, of the same width.
  draw(plot: uPlot): void {
    this.left = plot.bbox.left / devicePixelRatio;
    this.right = this.left + plot.bbox.width / devicePixelRatio;
    this.tip.textContent = this.rows.describe();
    const { names } = this.rows;
    const height = names.length * rowHeight;
    const context = prepareCanvas(this.canvas, plot.width, height);
    const xs = this.state.edges().map((edge) => Math.round(this.x(edge)));
    context.font = "11px system-ui, sans-serif";
    context.textBaseline = "middle";
    context.textAlign = "right";
    context.fillStyle = this.rows.back();
    context.fillRect(this.left, 0, this.right - this.left, height);
    names.forEach((name, row) => {
      for (let at = 0; at < this.state.buckets; ++at) {
        const fill = this.rows.fill(row, at);
        if (fill !== "") {
          context.fillStyle = fill;
          context.fillRect(xs[at], row * rowHeight, Math.max(xs[at + 1] - xs[at], 1), rowHeight - 1);
        }
      }
      if (row % 2 === 0 || names.length < 16) {
        context.fillStyle = color("muted");
        context.fillText(name, this.left - 8, row * rowHeight + rowHeight / 2);
      }
    });
    const edges = this.state.edges();
    const middle = (edges[this.state.bucket] + edges[this.state.bucket + 1]) / 2;
    context.fillStyle = color("accent");
    context.fillRect(Math.round(this.x(middle)) - 1, 0, 2, height);
  }
}

const shadeCount = 32;

// A bank is darker the fuller it is.
export function bankRows(state: State): Rows {
  const { banks } = state.run.timeline;
  const frames = state.platform.banks.map((bank) => bank.frames);
  let shades: string[] = [];
  return {
    kind: "bank",
    names: banks.map((_taken, bank) => `bank ${bank}`),
    fill: (bank, at) => {
      const taken = banks[bank][at];
      return taken < 0 ? "" : shades[Math.round((taken / frames[bank]) * shadeCount)];
    },
    tell: (bank, at) => (banks[bank][at] < 0 ? "off" : `on, at most ${banks[bank][at]} of ${frames[bank]} frames taken`),
    describe: () => {
      const on = banks
        .map((taken, bank) => ({ bank, taken: taken[state.bucket] }))
        .filter(({ taken }) => taken >= 0)
        .map(({ bank, taken }) => `bank ${bank} ${taken} of ${frames[bank]}`);
      return on.length === 0 ? "All banks are off." : `On, with frames taken at most: ${on.join(", ")}. Point at the map for others.`;
    },
    back: () => {
      shades = Array.from(
        { length: shadeCount + 1 },
        (_none, step) => `color-mix(in srgb, ${color("bank-full")} ${Math.round((step / shadeCount) * 100)}%, ${color("bank-empty")})`,
      );
      return color("bank-off");
    },
  };
}

const stateNames = ["absent", "reset", "paused", "running"];

export function pipelineRows(state: State): Rows {
  const { pipelines } = state.run.timeline;
  let colors: string[] = [];
  return {
    kind: "pipeline",
    names: pipelines.map(({ pipeline }) => `pipeline ${pipeline}`),
    fill: (row, at) => colors[pipelines[row].state[at]] ?? "",
    tell: (row, at) => stateNames[pipelines[row].state[at]] ?? "unknown",
    describe: () => {
      const there = pipelines
        .filter(({ state: states }) => states[state.bucket] > 0)
        .map(({ pipeline, state: states }) => `${pipeline} ${stateNames[states[state.bucket]] ?? "unknown"}`);
      return there.length === 0 ? "No pipeline is there." : `Pipelines: ${there.join(", ")}. Point at the map for others.`;
    },
    back: () => {
      colors = ["", color("pipeline-reset"), color("pipeline-paused"), color("pipeline-running")];
      return color("bank-off");
    },
  };
}
