// The report of `modmem report`, put together.

import "uplot/dist/uPlot.min.css";
import "./style.css";
import { timelineSection } from "./charts";
import { compareSection, summary } from "./compare";
import { readReport } from "./data";
import { h } from "./dom";
import { bytes, count } from "./format";
import { pageMapSection } from "./pagemap";
import { State } from "./state";
import { failuresSection, leaksSection, ownersSection, sitesSection } from "./tables";
import { savedTheme, setTheme, type Theme } from "./theme";

function choice(label: string, id: string, options: [string, string][], value: string, change: (value: string) => void): HTMLElement {
  const select = h("select", { id }, ...options.map(([key, text]) => h("option", { value: key }, text)));
  select.value = value;
  select.addEventListener("change", () => change(select.value));
  return h("span", { class: "choice" }, h("label", { for: id }, label), " ", select);
}

// How what is shown relates to what was recorded.
function recordedText(state: State): string {
  const { recorded_policy } = state.shown;
  const { policy, differs } = state.run;
  if (recorded_policy === null || differs === null) {
    return "";
  }
  if (policy !== recorded_policy) {
    return `The calls were recorded under policy ${recorded_policy}.`;
  }
  return differs === 0 ? "Everything is as it was recorded." : `${count(differs)} calls led to something else than was recorded.`;
}

function start(): void {
  const state = new State(readReport());
  const top = document.getElementById("top") as HTMLElement;
  const main = document.getElementById("main") as HTMLElement;
  let draw = (): void => undefined;

  const render = (): void => {
    state.forgetListeners();
    const { run, platform, shown } = state;
    const timeline = timelineSection(state);
    const compare = compareSection(state);
    main.replaceChildren(
      h(
        "p",
        { class: "about" },
        `${shown.name}: ${count(run.events)} events, played under policy ${run.policy} on platform ${platform.name}: ` +
          `${count(platform.frames)} frames of ${bytes(platform.page_bytes)} in ${count(platform.banks.length)} banks of ${bytes(platform.bank_bytes)}. ` +
          recordedText(state),
      ),
      ...(shown.problems.length === 0
        ? []
        : [
            h(
              "div",
              { class: "problems", role: "alert" },
              h("p", {}, "Not all of the trace could be read. This is what could:"),
              h("ul", {}, ...shown.problems.map((problem) => h("li", {}, problem))),
            ),
          ]),
      summary(state),
      timeline.element,
      pageMapSection(state),
      ...(compare.element === null ? [] : [compare.element]),
      ownersSection(state),
      sitesSection(state),
      failuresSection(state),
      leaksSection(state),
    );
    draw = (): void => {
      timeline.draw();
      compare.draw();
    };
    draw();
  };

  const { traces } = state.report;
  const policyHost = h("span");
  const axisHost = h("span");
  const renderChoices = (): void => {
    policyHost.replaceChildren(
      choice("Policy", "policy", state.runs.map((run, at) => [String(at), run.policy]), String(state.policy), (value) => {
        state.policy = Number(value);
        render();
      }),
    );
    axisHost.replaceChildren(
      ...(state.hasTime
        ? [
            choice("Axis", "axis", [["event", "events"], ["time", "time"]], state.axis, (value) => {
              state.axis = value === "time" ? "time" : "event";
              render();
            }),
          ]
        : []),
    );
  };
  top.replaceChildren(
    h("h1", {}, "modmem report"),
    h(
      "div",
      { class: "choices", role: "group", "aria-label": "What is shown" },
      ...(traces.length > 1
        ? [
            choice("Trace", "trace", traces.map((trace, at) => [String(at), trace.name]), "0", (value) => {
              state.trace = Number(value);
              state.policy = Math.min(state.policy, state.runs.length - 1);
              state.axis = state.hasTime ? state.axis : "event";
              state.bucket = state.mostLive();
              renderChoices();
              render();
            }),
          ]
        : []),
      policyHost,
      axisHost,
      choice("Colours", "theme", [["auto", "as the system"], ["light", "light"], ["dark", "dark"]], savedTheme(), (value) => {
        setTheme(value as Theme);
        draw();
      }),
    ),
    h(
      "nav",
      { "aria-label": "Sections" },
      ...[["timeline", "Timeline"], ["pages", "Page map"], ...(state.runs.length > 1 ? [["policies", "Policies"]] : []), ["owners", "Owners"], ["sites", "Call sites"], ["failures", "Failures"], ["leaks", "Never freed"]].map(([id, text]) =>
        h("a", { href: `#${id}` }, text),
      ),
    ),
  );
  setTheme(savedTheme());
  renderChoices();
  render();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw());
  let width = main.clientWidth;
  new ResizeObserver(() => {
    if (main.clientWidth !== width) {
      width = main.clientWidth;
      draw();
    }
  }).observe(main);
}

try {
  start();
} catch (error) {
  document.getElementById("main")?.replaceChildren(h("p", { class: "bad", role: "alert" }, error instanceof Error ? error.message : String(error)));
}
