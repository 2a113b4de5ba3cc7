// The timeline: live and mapped bytes stacked by lane, and the bank map below, on one axis, with
// one chosen moment that the arrow keys move.

import uPlot from "uplot";
import { h, section } from "./dom";
import { bytes, clock, count } from "./format";
import type { State } from "./state";
import { bankRows, pipelineRows, StripMap } from "./strips";
import { color, laneColor } from "./theme";

const left = 84; // of the plots, where values stand
const right = 36; // room for half of the last value of the axis
const chartHeight = 200;

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
    ctx.setLineDash([]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.restore();
  };
}

// Ticks at the top where requests failed, and lines where the trace lacks events.
function markTrouble(state: State): (plot: uPlot) => void {
  return (plot) => {
    const edges = state.edges();
    const { failures, lost } = state.run.timeline;
    const { ctx, bbox } = plot;
    const mark = (values: number[], height: number, stroke: string, dash: number[]): void => {
      ctx.save();
      ctx.strokeStyle = stroke;
      ctx.lineWidth = 2 * devicePixelRatio;
      ctx.setLineDash(dash.map((length) => length * devicePixelRatio));
      ctx.beginPath();
      values.forEach((value, at) => {
        if (value > 0) {
          const x = Math.round(plot.valToPos((edges[at] + edges[at + 1]) / 2, "x", true));
          ctx.moveTo(x, bbox.top);
          ctx.lineTo(x, bbox.top + height);
        }
      });
      ctx.stroke();
      ctx.restore();
    };
    mark(lost, bbox.height, color("lost"), [2, 3]);
    mark(failures, 8 * devicePixelRatio, color("bad"), []);
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
    hooks: { draw: [markTrouble(state), markChoice(state)] },
  };
  const plot = new uPlot(options, [state.edges(), ...values] as uPlot.AlignedData, host);
  plot.over.addEventListener("click", (event) => {
    state.choose(state.bucketAt(plot.posToVal(event.offsetX, "x")));
  });
  return plot;
}

const withEnd = (values: number[]): number[] => [...values, values[values.length - 1] ?? 0];

// Lanes that ever hold something, of either kind.
function usedLanes(state: State): number[] {
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

// What is so at the chosen moment, in words.
function choiceText(state: State): string {
  const { timeline, last_time_us } = state.run;
  const at = state.bucket;
  const end = (timeline.event[at + 1] ?? state.run.events) - 1;
  const events = timeline.event[at] === end ? `Event ${count(end)}` : `Events ${count(timeline.event[at])} to ${count(end)}`;
  const time = state.hasTime
    ? `, ${clock(timeline.time_us[at], state.span)} to ${clock(timeline.time_us[at + 1] ?? last_time_us, state.span)}`
    : "";
  const failures =
    (timeline.failures[at] === 0 ? "" : `, ${count(timeline.failures[at])} failed`) +
    (timeline.lost[at] === 0 ? "" : `, ${count(timeline.lost[at])} events lost`);
  return `${events}${time}: ${bytes(timeline.live[at])} live, ${bytes(timeline.mapped[at])} mapped, ${count(timeline.banks_on[at])} ${timeline.banks_on[at] === 1 ? "bank" : "banks"} on${failures}`;
}

export function timelineSection(state: State): { element: HTMLElement; draw: () => void } {
  const live = h("div", { class: "plot", role: "img", "aria-label": "Live bytes over time, stacked by owner" });
  const mapped = h("div", { class: "plot", role: "img", "aria-label": "Mapped bytes over time, stacked by owner" });
  const { timeline: shown } = state.run;
  const bankMap = new StripMap(state, bankRows(state));
  const pipelineMap = shown.pipelines.length > 0 ? new StripMap(state, pipelineRows(state)) : null;
  const swatch = (name: string, text: string): HTMLElement =>
    h("span", { class: "key" }, h("span", { class: "swatch", style: `background: var(--${name})` }), text);
  const trouble = [
    ...(shown.failures.some((value) => value > 0) ? [swatch("bad", "requests failed")] : []),
    ...(shown.lost.some((value) => value > 0) ? [swatch("lost", "the trace lacks events")] : []),
  ];
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
    trouble.length > 0 ? h("p", { class: "scale", role: "note" }, "Marks at the top: ", ...trouble) : null,
    h("h3", {}, "Banks"),
    bankMap.canvas,
    h("p", { class: "scale", role: "note" }, swatch("bank-off", "off"), swatch("bank-empty", "on, empty"), swatch("bank-full", "on, full")),
    bankMap.tip,
    ...(pipelineMap === null
      ? []
      : [
          h("h3", {}, "Pipelines"),
          pipelineMap.canvas,
          h(
            "p",
            { class: "scale", role: "note" },
            swatch("bank-off", "absent"),
            swatch("pipeline-reset", "reset"),
            swatch("pipeline-paused", "paused"),
            swatch("pipeline-running", "running"),
          ),
          pipelineMap.tip,
        ]),
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
    pipelineMap?.draw(plots[0]);
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
