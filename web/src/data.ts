// What tools/report_data.cpp writes into the page. Sizes are bytes, times microseconds; an event is
// a row of the trace, counted from 0.

export interface Account {
  allocations: number; // requests for a block or another size, those that failed among them
  failures: number;
  ended: number; // blocks that were freed, or ended with their owner
  churn: number; // bytes of all requests that were served
  live: number; // at the end
  peak: number;
  lived_us: number; // by all blocks that ended, together
  lived_events: number;
  left_blocks: number; // never freed, ended with their owner
  left_bytes: number;
}

export interface OwnerRow extends Account {
  name: string;
  kind: string;
  within: string; // the owner that it is below; "": the system
  number: number;
  times: number; // that one of this name began
  tree_peak: number; // of it and all below it
  begin_event: number;
  begin_us: number;
  end_event: number | null; // null: lives at the end
  end_us: number | null;
}

export interface SiteRow extends Account {
  site: number; // index in names
  largest: number;
  disguised: number; // requests for a page or more without the flag for large buffers
  disguised_bytes: number;
}

export interface Lane {
  name: string;
  live: number[];
  mapped: number[];
  owner: number[]; // who had it when most lived: index in owner_names, -1 for nobody
}

export interface Timeline {
  event: number[]; // the first of each bucket
  time_us: number[];
  live: number[]; // at most
  mapped: number[];
  banks_on: number[];
  failures: number[];
  lost: number[]; // events that the trace lacks ahead of these
  pipelines: { pipeline: number; state: number[] }[]; // 0 absent, 1 reset, 2 paused, 3 running
  lanes: Lane[];
  owner_names: string[];
  banks: number[][]; // by bank: most frames taken, -1 while off
}

export type PageEntry = [frame: number, page: number, lane: number, name: number];
export type BlockEntry = [
  page: number,
  offset: number,
  bytes: number,
  lane: number,
  name: number,
  site: number,
  event: number,
];

export interface Moment {
  label: string;
  event: number;
  time_us: number;
  live: number;
  mapped: number;
  names: string[];
  powered: boolean[];
  more_blocks: number;
  pages: PageEntry[];
  blocks: BlockEntry[];
}

export interface Failure {
  event: number;
  time_us: number;
  owner: string;
  site: string;
  bytes: number;
  alignment: number;
  flags: number;
  explained: boolean;
  reason: string;
  free_bytes: number;
  largest_request: number;
  guarantee: string;
  holders: { name: string; bytes: number }[];
}

export interface Figures {
  allocations: number;
  failures: number;
  peak_live_bytes: number;
  peak_mapped_bytes: number;
  peak_banks_on: number;
  metadata_bytes: number;
  live_bytes_mean: number | null;
  mapped_bytes_mean: number | null;
  banks_on_mean: number | null;
  banks_lower_bound_mean: number | null;
  live_bytes_at_end: number;
}

export interface Run {
  policy: string;
  lost: number;
  differs: number | null; // of a recording: calls that led to something else than they did then
  events: number;
  bucket_events: number;
  last_time_us: number;
  figures: Figures;
  timeline: Timeline;
  moments: Moment[];
  owners: OwnerRow[];
  owners_begun: number;
  other_owners: number;
  others: Account;
  sites: { names: string[]; rows: SiteRow[]; other_sites: number; others: Account };
  failures: Failure[];
  leftovers: { owner: string; site: number; blocks: number; bytes: number }[];
}

export interface Platform {
  name: string;
  page_bytes: number;
  bank_bytes: number;
  frames: number;
  banks: { first_frame: number; frames: number; held_on: boolean }[];
}

export interface Trace {
  name: string;
  recorded_policy: string | null; // null: of rows
  platform: Platform;
  problems: string[]; // what could not be read
  runs: Run[];
}

export interface Report {
  format: number;
  traces: Trace[];
}

// Throws where the page holds no report.
export function readReport(): Report {
  const report: unknown = JSON.parse(document.getElementById("data")?.textContent ?? "null");
  if (typeof report !== "object" || report === null || (report as Report).format !== 2) {
    throw new Error("This page holds no report: modmem report writes one.");
  }
  return report as Report;
}
