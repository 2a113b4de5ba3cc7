// The timeline: live and mapped bytes stacked by lane, and the bank map below, on one axis, with
// one chosen moment that the arrow keys move.

import uPlot from "uplot";
import { h, prepareCanvas, section } from "./dom";
import { bytes, clock, count } from "./format";
import type { State } from "./state";
import { color, laneColor } from "./theme";

const left = 84; // of the plots, where values stand
const right = 14;
const chartHeight = 200;
const bankHeight = 12;

type Kind = "live" | "mapped";

const axisText = (state: State, value: number): string =>
  state.axis === "event" ? count(value) : clock(value * 1e6, state.span);

// Steps of a clock, in seconds.
const clockSteps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 604800];

// A line at the chosen moment.
function markChoice(state: State): (plot: uPlot) => void {
  return (plot) => {
    const edges = state.edges();
    const middle = (edges[state.bucket] + (edges[state.bucket + 1] ?? edges[state.bucket])) / 2;
    const x = Math.round(plot.valToPos(middle, "x", true));
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.strokeStyle = color("accent");
    ctx.lineWidth = 2 * devicePixelRatio;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.restore();
  };
}

export function makePlot(
  state: State,
  host: HTMLElement,
  title: string,
  series: uPlot.Series[],
  values: number[][],
  height = chartHeight,
): uPlot {
  const axis: uPlot.Axis = {
    stroke: color("muted"),
    grid: { stroke: color("grid"), width: 1 },
    ticks: { stroke: color("grid"), width: 1 },
    font: "12px system-ui, sans-serif",
  };
  const options: uPlot.Options = {
    title,
    width: Math.max(host.clientWidth, 280),
    height,
    padding: [8, right, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: "time" }, drag: { x: false, y: false }, points: { show: false } },
    scales: {
      x: { time: false },
      y: { range: (_plot, _least, most) => [0, Math.max(most * 1.05, 1)] },
    },
    axes: [
      {
        ...axis,
        space: 90,
        ...(state.axis === "time" && state.span > 60e6 ? { incrs: clockSteps } : {}),
        values: (_plot, splits) => splits.map((value) => axisText(state, value)),
      },
      {
        ...axis,
        size: left,
        values: (_plot, splits) => splits.map((value) => bytes(value)),
        // Whole powers of two, as memory has them.
        incrs: Array.from({ length: 34 }, (_none, power) => 2 ** power),
      },
    ],
    series: [{}, ...series],
    hooks: { draw: [markChoice(state)] },
  };
  const plot = new uPlot(options, [state.edges(), ...values] as uPlot.AlignedData, host);
  plot.over.addEventListener("click", (event) => {
    state.choose(state.bucketAt(plot.posToVal(event.offsetX, "x")));
  });
  return plot;
}

const withEnd = (values: number[]): number[] => [...values, values[values.length - 1] ?? 0];

// Lanes that ever hold something, of either kind.
export function usedLanes(state: State): number[] {
  return state.run.timeline.lanes
    .map((lane, at) => ({ at, used: lane.live.some((v) => v > 0) || lane.mapped.some((v) => v > 0) }))
    .filter(({ used }) => used)
    .map(({ at }) => at);
}

// Who has the lane at the chosen moment; one that nobody has then is called by its number.
function laneName(state: State, lane: number): string {
  const { lanes, owner_names } = state.run.timeline;
  return owner_names[lanes[lane].owner[state.bucket]] ?? lanes[lane].name;
}

// Areas lie one before the other: the whole stack first, the lowest lane last.
function stackedPlot(state: State, host: HTMLElement, kind: Kind, title: string): uPlot {
  const series: uPlot.Series[] = [];
  const values: number[][] = [];
  const sums = new Array<number>(state.buckets).fill(0);
  const paths = uPlot.paths.stepped?.({ align: 1 });
  for (const lane of usedLanes(state)) {
    const bytesOfLane = state.run.timeline.lanes[lane][kind];
    bytesOfLane.forEach((value, at) => (sums[at] += value));
    values.unshift(withEnd(sums));
    series.unshift({
      label: state.run.timeline.lanes[lane].name,
      fill: laneColor(lane),
      stroke: laneColor(lane),
      width: 0,
      paths,
      points: { show: false },
    });
  }
  return makePlot(state, host, title, series, values);
}

// Colour of a bank that is on, from empty to full.
function fillColor(share: number): string {
  return `color-mix(in srgb, ${color("bank-full")} ${Math.round(share * 100)}%, ${color("bank-empty")})`;
}

class BankMap {
  readonly canvas = h("canvas", { class: "bank-map", "aria-hidden": "true" });
  readonly tip = h("p", { class: "hint banks-on" });
  private width = 0;
  private left = 0; // where the plots above begin, and end
  private right = 0;

  constructor(private readonly state: State) {
    this.canvas.addEventListener("pointermove", (event) => this.show(event));
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
    const { banks, event: events, time_us } = this.state.run.timeline;
    const bank = Math.floor(event.offsetY / bankHeight);
    const bucket = this.bucketAt(event.offsetX);
    if (bucket === null || bank < 0 || bank >= banks.length) {
      return;
    }
    const taken = banks[bank][bucket];
    const frames = this.state.report.platform.banks[bank].frames;
    this.tip.textContent =
      `Bank ${bank}, event ${count(events[bucket])}` +
      (this.state.hasTime ? ` (${clock(time_us[bucket], this.state.span)})` : "") +
      (taken < 0 ? ": off" : `: on, at most ${taken} of ${frames} frames taken`);
  }

  // What is on at the chosen moment.
  private describe(): string {
    const { banks } = this.state.run.timeline;
    const on = banks
      .map((taken, bank) => ({ bank, taken: taken[this.state.bucket] }))
      .filter(({ taken }) => taken >= 0)
      .map(({ bank, taken }) => `bank ${bank} ${taken} of ${this.state.report.platform.banks[bank].frames}`);
    return on.length === 0 ? "All banks are off." : `On, with frames taken at most: ${on.join(", ")}. Point at the map for others.`;
  }

  // Below `plot`, of the same width.
  draw(plot: uPlot): void {
    this.width = plot.width;
    this.left = plot.bbox.left / devicePixelRatio;
    this.right = this.left + plot.bbox.width / devicePixelRatio;
    this.tip.textContent = this.describe();
    const { banks } = this.state.run.timeline;
    const height = banks.length * bankHeight;
    const context = prepareCanvas(this.canvas, this.width, height);
    const edges = this.state.edges();
    const shades = Array.from({ length: 33 }, (_none, step) => fillColor(step / 32));
    context.font = "11px system-ui, sans-serif";
    context.textBaseline = "middle";
    context.textAlign = "right";
    context.fillStyle = color("bank-off");
    context.fillRect(this.left, 0, this.right - this.left, height);
    banks.forEach((taken, bank) => {
      const frames = this.state.report.platform.banks[bank].frames;
      taken.forEach((value, at) => {
        if (value >= 0) {
          const x = this.x(edges[at]);
          context.fillStyle = shades[Math.round((value / frames) * 32)];
          const end = Math.max(Math.round(this.x(edges[at + 1])), Math.round(x) + 1);
          context.fillRect(Math.round(x), bank * bankHeight, end - Math.round(x), bankHeight - 1);
        }
      });
      if (bank % 2 === 0 || banks.length < 12) {
        context.fillStyle = color("muted");
        context.fillText(`bank ${bank}`, this.left - 8, bank * bankHeight + bankHeight / 2);
      }
    });
    const middle = (edges[this.state.bucket] + edges[this.state.bucket + 1]) / 2;
    context.fillStyle = color("accent");
    context.fillRect(Math.round(this.x(middle)) - 1, 0, 2, height);
  }
}

// What is so at the chosen moment, in words.
export function choiceText(state: State): string {
  const { timeline, last_time_us } = state.run;
  const at = state.bucket;
  const end = (timeline.event[at + 1] ?? state.run.events) - 1;
  const events = timeline.event[at] === end ? `Event ${count(end)}` : `Events ${count(timeline.event[at])} to ${count(end)}`;
  const time = state.hasTime
    ? `, ${clock(timeline.time_us[at], state.span)} to ${clock(timeline.time_us[at + 1] ?? last_time_us, state.span)}`
    : "";
  const failures = timeline.failures[at] === 0 ? "" : `, ${count(timeline.failures[at])} failed`;
  return `${events}${time}: ${bytes(timeline.live[at])} live, ${bytes(timeline.mapped[at])} mapped, ${count(timeline.banks_on[at])} banks on${failures}`;
}

export function timelineSection(state: State): { element: HTMLElement; draw: () => void } {
  const live = h("div", { class: "plot", role: "img", "aria-label": "Live bytes over time, stacked by owner" });
  const mapped = h("div", { class: "plot", role: "img", "aria-label": "Mapped bytes over time, stacked by owner" });
  const bankMap = new BankMap(state);
  const readout = h("p", { class: "readout", "aria-live": "polite" });
  const legend = h("ul", { class: "legend" });
  const slider = h("div", {
    class: "cursor",
    id: "time-cursor",
    role: "slider",
    tabindex: "0",
    "aria-label": "Chosen moment",
    "aria-valuemin": 0,
    keydown: (event: KeyboardEvent) => {
      const steps: Record<string, number> = {
        ArrowLeft: -1,
        ArrowDown: -1,
        ArrowRight: 1,
        ArrowUp: 1,
        PageDown: -Math.ceil(state.buckets / 20),
        PageUp: Math.ceil(state.buckets / 20),
        Home: -state.buckets,
        End: state.buckets,
      };
      const step = steps[event.key];
      if (step !== undefined) {
        event.preventDefault();
        state.choose(state.bucket + step * (event.shiftKey ? 10 : 1));
      }
    },
  });
  slider.append(live, mapped);
  const element = section(
    "timeline",
    "Memory over time",
    h(
      "p",
      { class: "hint" },
      "Each point is the most of its stretch of events. Click, or focus the charts and press ",
      h("kbd", {}, "←"),
      " ",
      h("kbd", {}, "→"),
      " (with Shift ten at a time, Page Up and Page Down, Home, End) to choose a moment.",
    ),
    readout,
    slider,
    legend,
    h("h3", {}, "Banks"),
    bankMap.canvas,
    h(
      "p",
      { class: "scale", role: "note" },
      h("span", { class: "swatch bank-off" }),
      "off ",
      h("span", { class: "swatch bank-empty" }),
      "on, empty ",
      h("span", { class: "swatch bank-full" }),
      "on, full",
    ),
    bankMap.tip,
  );

  let plots: uPlot[] = [];
  const update = (): void => {
    const { timeline } = state.run;
    const text = choiceText(state);
    readout.textContent = text;
    slider.setAttribute("aria-valuemax", String(Math.max(state.buckets - 1, 0)));
    slider.setAttribute("aria-valuenow", String(state.bucket));
    slider.setAttribute("aria-valuetext", text);
    legend.replaceChildren(
      ...usedLanes(state).map((lane) => {
        const { live: liveBytes, mapped: mappedBytes } = timeline.lanes[lane];
        return h(
          "li",
          {},
          h("span", { class: "swatch", style: `background: var(--lane-${lane % 16})` }),
          h("span", { class: "lane-name" }, laneName(state, lane)),
          h("span", { class: "lane-value" }, `${bytes(liveBytes[state.bucket])} live, ${bytes(mappedBytes[state.bucket])} mapped`),
        );
      }),
    );
    plots.forEach((plot) => plot.redraw(false));
    bankMap.draw(plots[0]);
  };
  state.onChoice(update);
  const draw = (): void => {
    plots.forEach((plot) => plot.destroy());
    plots = [];
    if (state.buckets > 0) {
      plots = [
        stackedPlot(state, live, "live", "Live bytes, as asked for"),
        stackedPlot(state, mapped, "mapped", "Mapped bytes: frames held from the pool"),
      ];
      update();
    }
  };
  return { element, draw };
}
