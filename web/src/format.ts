// Numbers as people read them.

const grouped = new Intl.NumberFormat("en-US");
const tenths = new Intl.NumberFormat("en-US", { minimumFractionDigits: 1, maximumFractionDigits: 1 });

export const count = (value: number): string => grouped.format(value);

export function bytes(value: number): string {
  if (value < 10 * 1024) {
    return `${count(value)} B`;
  }
  const [scaled, unit] = value < 10 * 1024 * 1024 ? [value / 1024, "KiB"] : [value / 1024 / 1024, "MiB"];
  return `${Number.isInteger(scaled) ? count(scaled) : tenths.format(scaled)} ${unit}`;
}

export function duration(us: number): string {
  if (us < 1000) {
    return `${count(Math.round(us))} µs`;
  }
  if (us < 1e6) {
    return `${(us / 1000).toFixed(1)} ms`;
  }
  if (us < 120e6) {
    return `${(us / 1e6).toFixed(1)} s`;
  }
  return us < 7200e6 ? `${(us / 60e6).toFixed(1)} min` : `${(us / 3600e6).toFixed(1)} h`;
}

// A moment of the trace: "1:02:03.5", with as many digits as it takes to see a span of `span_us`.
export function clock(us: number, spanUs: number): string {
  if (spanUs < 1e6) {
    return duration(us);
  }
  const seconds = us / 1e6;
  const digits = spanUs < 60e6 ? 2 : 0;
  const whole = Math.floor(seconds / 60);
  const rest = (seconds - whole * 60).toFixed(digits).padStart(digits === 0 ? 2 : 5, "0");
  const minutes = String(whole % 60).padStart(2, "0");
  return spanUs < 3600e6 ? `${whole}:${rest}` : `${Math.floor(whole / 60)}:${minutes}:${rest}`;
}

export const ratio = (a: number | null, b: number | null): string =>
  a === null || b === null || b === 0 ? "–" : (a / b).toFixed(3);

const flagNames: [number, string][] = [
  [1 << 2, "DMA"],
  [1 << 3, "NO_COPY"],
  [1 << 4, "COHERENT"],
  [1 << 5, "L3"],
  [1 << 6, "LOW_POWER"],
  [1 << 7, "KERNEL"],
  [1 << 8, "USER"],
  [1 << 9, "SHARED"],
  [1 << 10, "LARGE_BUFFER"],
];

export const flags = (value: number): string =>
  flagNames
    .filter(([bit]) => (value & bit) !== 0)
    .map(([, name]) => name)
    .join(" | ") || "none";
