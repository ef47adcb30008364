/**
 * Draws what terminals showed over time as an animated SVG that needs no script and no font of its own, so that GitHub shows it in a page.
 *
 * @module
 */

/** What all terminals show from a time on. */
export interface Frame {
  /** Milliseconds since the first frame. */
  readonly at: number;
  /** The lines of each terminal, from the top. */
  readonly screens: readonly (readonly string[])[];
}

/** A terminal of the picture. */
export interface DrawnTerminal {
  readonly title: string;
  readonly columns: number;
  readonly rows: number;
}

const CHARACTER = 7.8;
const LINE = 18;
const MARGIN = 12;
const TITLE = 28;
/** How long the last frame stays before the animation starts again. */
const LAST_MS = 6_000;

/** Shortens each pause to `most` milliseconds. */
export function withoutPauses(frames: readonly Frame[], most: number): Frame[] {
  let at = 0;
  return frames.map((frame, n) => ({ ...frame, at: at += Math.min(most, frame.at - (frames[n - 1]?.at ?? frame.at)) }));
}

/**
 * Draws the frames. Each line that a terminal shows for a time is one element, which an animation of that time makes visible. Viewers that
 * want no motion see the last frame.
 *
 * @param frames by time; the first at 0
 */
export function animatedSvg(terminals: readonly DrawnTerminal[], frames: readonly Frame[]): string {
  const end = (frames.at(-1)?.at ?? 0) + LAST_MS;
  const width = Math.max(...terminals.map(({ columns }) => columns)) * CHARACTER + 2 * MARGIN;
  const animations = new Map<string, string>();
  const shapes: string[] = [];
  let top = 0;
  for (const [index, { title, rows }] of terminals.entries()) {
    const height = TITLE + rows * LINE + MARGIN;
    shapes.push(`<rect x=".5" y="${top + .5}" width="${width - 1}" height="${height - 1}" rx="6"/>`);
    shapes.push(`<text class="t" x="${MARGIN}" y="${top + 19}">${escaped(title)}</text>`);
    for (let row = 0; row < rows; row++) {
      const baseline = top + TITLE + row * LINE + 14;
      for (const { text, from, to } of shown(frames, index, row, end)) {
        const times = keyframes(from, to, end);
        const name = times && (animations.get(times) ?? `k${animations.size}`);
        if (name) animations.set(times, name);
        const classes = [/^\$( |$)/.test(text) ? "c" : "", to < end ? "g" : ""].filter(Boolean).join(" ");
        const attributes = [classes && `class="${classes}"`, name && `style="animation-name:${name}"`].filter(Boolean).join(" ");
        const length = (text.length * CHARACTER).toFixed(1);
        shapes.push(`<text ${attributes} x="${MARGIN}" y="${baseline}" textLength="${length}">${escaped(text)}</text>`);
      }
    }
    top += height + MARGIN;
  }
  const height = top - MARGIN;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
    "<style>",
    `rect{fill:#0d1117;stroke:#484f58}`,
    `text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;white-space:pre;fill:#c9d1d9;animation:${
      Math.round(end) / 1000
    }s step-end infinite}`,
    ".t{fill:#8b949e}.c{fill:#7ee787}.g{visibility:hidden}",
    ...[...animations].map(([times, name]) => `@keyframes ${name}{${times}}`),
    "@media (prefers-reduced-motion:reduce){text{animation:none}}",
    "</style>",
    ...shapes,
    "</svg>\n",
  ].join("\n");
}

/** What a row of a terminal shows, and when. */
function shown(frames: readonly Frame[], terminal: number, row: number, end: number): { text: string; from: number; to: number }[] {
  const all: { text: string; from: number; to: number }[] = [];
  for (const { at, screens } of frames) {
    const text = screens[terminal]?.[row] ?? "";
    const last = all.at(-1);
    if (last?.text === text) continue;
    if (last) last.to = at;
    all.push({ text, from: at, to: end });
  }
  return all.filter(({ text }) => text.trim() !== "");
}

/** The stops of an animation that shows something for a time; none if that is always. */
function keyframes(from: number, to: number, end: number): string {
  const stop = (ms: number, visibility: string) => `${+(ms / end * 100).toFixed(2)}%{visibility:${visibility}}`;
  if (from === 0 && to === end) return "";
  return (from > 0 ? stop(0, "hidden") : "") + stop(from, "visible") + (to < end ? stop(to, "hidden") : "");
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
