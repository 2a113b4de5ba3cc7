// Light and dark: the system's choice, or what the switch says, and the colours of either.

export type Theme = "auto" | "light" | "dark";

const key = "modmem-theme";

// Where a page that was opened from a file may keep nothing, it starts with the system's choice.
export function savedTheme(): Theme {
  try {
    const value = localStorage.getItem(key);
    return value === "light" || value === "dark" ? value : "auto";
  } catch {
    return "auto";
  }
}

export function setTheme(theme: Theme): void {
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem(key, theme);
  } catch {
    // It holds for as long as the page is open.
  }
}

export const color = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

// Lanes 0 to 15 have a colour each; more heaps that are nobody's alone do not exist.
export const laneColor = (lane: number): string => color(`lane-${lane % 16}`);
