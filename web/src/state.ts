// What is shown: a run, an axis, and a chosen moment as a bucket of the timeline.

import type { Platform, Report, Run, Trace } from "./data";

export class State {
  trace = 0;
  policy = 0;
  axis: "event" | "time" = "event";
  bucket = 0;

  private listeners: (() => void)[] = [];

  constructor(readonly report: Report) {
    this.bucket = this.mostLive();
  }

  get shown(): Trace {
    return this.report.traces[this.trace];
  }

  get platform(): Platform {
    return this.shown.platform;
  }

  get run(): Run {
    return this.runs[this.policy];
  }

  get runs(): Run[] {
    return this.shown.runs;
  }

  get buckets(): number {
    return this.run.timeline.event.length;
  }

  // Whether the trace says when things happened.
  get hasTime(): boolean {
    const { timeline, last_time_us } = this.run;
    return timeline.time_us.length > 1 && last_time_us > timeline.time_us[0];
  }

  get span(): number {
    return this.run.last_time_us - (this.run.timeline.time_us[0] ?? 0);
  }

  // Where buckets begin on the axis, and where the last one ends.
  edges(): number[] {
    const { timeline, events, last_time_us } = this.run;
    return this.axis === "event"
      ? [...timeline.event, events]
      : [...timeline.time_us, last_time_us].map((us) => us / 1e6);
  }

  mostLive(): number {
    const live = this.run.timeline.live;
    return live.reduce((best, value, at) => (value > live[best] ? at : best), 0);
  }

  bucketOfEvent(event: number): number {
    const starts = this.run.timeline.event;
    let at = starts.length - 1;
    while (at > 0 && starts[at] > event) {
      --at;
    }
    return Math.max(at, 0);
  }

  // The bucket that a value of the axis lies in.
  bucketAt(value: number): number {
    const edges = this.edges();
    let at = edges.length - 2;
    while (at > 0 && edges[at] > value) {
      --at;
    }
    return Math.max(at, 0);
  }

  choose(bucket: number): void {
    const chosen = Math.min(Math.max(bucket, 0), Math.max(this.buckets - 1, 0));
    if (chosen !== this.bucket) {
      this.bucket = chosen;
      this.listeners.forEach((listener) => listener());
    }
  }

  onChoice(listener: () => void): void {
    this.listeners.push(listener);
  }

  forgetListeners(): void {
    this.listeners = [];
  }
}
