// The page map: every frame of the pool at one of the moments that the report has, with whose page
// lies in it and which blocks lie in that.

import type { BlockEntry, Moment, PageEntry } from "./data";
import { h, section } from "./dom";
import { bytes, clock, count } from "./format";
import type { State } from "./state";

// The blocks that lie in a page, those that run into it from a page before among them. `blocks` are
// sorted by address, and the largest of them is the most that one can run on for.
function blocksIn(moment: Moment, page: number, pageBytes: number, longest: number): BlockEntry[] {
  const start = page * pageBytes;
  let low = 0;
  let high = moment.blocks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const [p, offset] = moment.blocks[middle];
    if (p * pageBytes + offset + longest <= start) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  const found: BlockEntry[] = [];
  for (; low < moment.blocks.length && moment.blocks[low][0] <= page; ++low) {
    const [p, offset, size] = moment.blocks[low];
    if (p * pageBytes + offset + size > start) {
      found.push(moment.blocks[low]);
    }
  }
  return found;
}

function usedBytes(blocks: BlockEntry[], page: number, pageBytes: number): number {
  const start = page * pageBytes;
  return blocks.reduce((sum, [p, offset, size]) => {
    const first = Math.max(p * pageBytes + offset, start);
    const last = Math.min(p * pageBytes + offset + size, start + pageBytes);
    return sum + Math.max(last - first, 0);
  }, 0);
}

export function pageMapSection(state: State): HTMLElement {
  const { platform } = state;
  const moments = state.run.moments;
  const detail = h("div", { class: "detail", id: "page-detail", "aria-live": "polite" });
  const grid = h("div", { class: "page-grid", role: "grid", "aria-label": "Frames of the pool, a row for each bank" });
  const caption = h("p", { class: "readout" });
  const select = h("select", { id: "moment" });
  const cells = new Map<number, HTMLElement>();
  let shown = -1;

  moments.forEach((moment, at) => {
    const time = state.hasTime ? `, ${clock(moment.time_us, state.span)}` : "";
    const label = moment.label === "" ? "" : ` (${moment.label})`;
    select.append(h("option", { value: at }, `event ${count(moment.event)}${time}${label}`));
  });

  const describe = (frame: number): void => {
    const moment = moments[shown];
    const entry = moment.pages.find(([f]) => f === frame);
    if (entry === undefined) {
      detail.replaceChildren(h("h3", {}, `Frame ${frame}`), h("p", {}, "Nothing lies in it."));
      return;
    }
    const longest = moment.blocks.reduce((most, block) => Math.max(most, block[2]), 0);
    const blocks = blocksIn(moment, entry[1], platform.page_bytes, longest);
    const used = usedBytes(blocks, entry[1], platform.page_bytes);
    detail.replaceChildren(
      h("h3", {}, `Frame ${frame}: page ${entry[1]} of ${moment.names[entry[3]]}`),
      h("p", {}, `${bytes(used)} of ${bytes(platform.page_bytes)} in ${count(blocks.length)} ${blocks.length === 1 ? "block" : "blocks"}.`),
      h(
        "ol",
        {},
        ...blocks.slice(0, 24).map(([page, offset, size, , name, site, event]) =>
          h(
            "li",
            {},
            h("b", {}, bytes(size)),
            ` ${state.run.sites.names[site] || "unknown site"} `,
            h("span", { class: "muted" }, `${moment.names[name]}, at ${page}:${offset}, since event ${count(event)}`),
          ),
        ),
      ),
      blocks.length > 24 ? h("p", { class: "muted" }, `and ${blocks.length - 24} more`) : "",
    );
  };

  const show = (index: number): void => {
    if (index === shown || moments.length === 0) {
      return;
    }
    shown = index;
    select.value = String(index);
    const moment = moments[index];
    caption.textContent =
      `After event ${count(moment.event)}: ${bytes(moment.live)} live in ${count(moment.pages.length)} of ` +
      `${count(platform.frames)} frames, ${moment.powered.filter(Boolean).length} of ${moment.powered.length} banks on` +
      (moment.more_blocks > 0 ? `; ${count(moment.more_blocks)} blocks are not shown` : "");
    const byFrame = new Map<number, PageEntry>(moment.pages.map((page) => [page[0], page]));
    const longest = moment.blocks.reduce((most, block) => Math.max(most, block[2]), 0);
    cells.clear();
    grid.replaceChildren(
      ...platform.banks.map((bank, number) => {
        const row = h(
          "div",
          { class: moment.powered[number] ? "bank" : "bank off", role: "row" },
          h("span", { class: "bank-name", role: "rowheader" }, `bank ${number}`),
        );
        for (let frame = bank.first_frame; frame < bank.first_frame + bank.frames; ++frame) {
          const page = byFrame.get(frame);
          const cell = h("span", { class: page ? "cell taken" : "cell", role: "gridcell", tabindex: "-1", "data-frame": frame });
          if (page) {
            const blocks = blocksIn(moment, page[1], platform.page_bytes, longest);
            const share = usedBytes(blocks, page[1], platform.page_bytes) / platform.page_bytes;
            cell.style.setProperty("--lane", `var(--lane-${page[2] % 16})`);
            cell.style.setProperty("--used", `${Math.round(share * 100)}%`);
            cell.setAttribute("aria-label", `frame ${frame}, ${moment.names[page[3]]}, ${Math.round(share * 100)} % used`);
          } else {
            cell.setAttribute("aria-label", `frame ${frame}, ${moment.powered[number] ? "free" : "off"}`);
          }
          cells.set(frame, cell);
          row.append(cell);
        }
        return row;
      }),
    );
    const first = moment.pages[0]?.[0] ?? platform.banks[0].first_frame;
    cells.get(first)?.setAttribute("tabindex", "0");
    describe(first);
  };

  const frameOf = (target: EventTarget | null): number | null => {
    const frame = (target as HTMLElement | null)?.dataset?.frame;
    return frame === undefined ? null : Number(frame);
  };
  const focus = (frame: number): void => {
    const cell = cells.get(frame);
    if (cell !== undefined) {
      grid.querySelector('[tabindex="0"]')?.setAttribute("tabindex", "-1");
      cell.setAttribute("tabindex", "0");
      cell.focus();
    }
  };
  grid.addEventListener("pointerover", (event) => {
    const frame = frameOf(event.target);
    if (frame !== null) {
      describe(frame);
    }
  });
  grid.addEventListener("click", (event) => {
    const frame = frameOf(event.target);
    if (frame !== null) {
      focus(frame);
    }
  });
  grid.addEventListener("focusin", (event) => {
    const frame = frameOf(event.target);
    if (frame !== null) {
      describe(frame);
    }
  });
  grid.addEventListener("keydown", (event) => {
    const frame = frameOf(event.target);
    const bankFrames = Math.max(...platform.banks.map((bank) => bank.frames));
    const steps: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -bankFrames, ArrowDown: bankFrames };
    const step = steps[event.key];
    if (frame !== null && step !== undefined) {
      event.preventDefault();
      focus(frame + step);
    }
  });
  select.addEventListener("change", () => {
    const index = Number(select.value);
    show(index);
    state.choose(state.bucketOfEvent(moments[index].event));
    show(index);
  });

  // The moment closest to what is chosen in the timeline.
  const follow = (): void => {
    const chosen = state.run.timeline.event[state.bucket] ?? 0;
    const width = state.run.bucket_events;
    const distance = (at: number): number => Math.abs(moments[at].event - (chosen + width / 2));
    if (moments.length > 0) {
      show(moments.reduce((best, _moment, at) => (distance(at) < distance(best) ? at : best), 0));
    }
  };
  state.onChoice(follow);
  follow();

  return section(
    "pages",
    "Page map",
    h("p", { class: "hint" }, `A square is a frame of ${bytes(platform.page_bytes)}, a row a bank. Colour: whose page lies there; how far it is filled: how much of it blocks use. Point at one, or move with the arrow keys, to see its blocks.`),
    h("p", {}, h("label", { for: "moment" }, "Moment "), select),
    caption,
    h("div", { class: "page-map" }, grid, detail),
  );
}
