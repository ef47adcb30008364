import type { Context } from "../command/context.ts";
import { terminalLine } from "../command/terminal_text.ts";

/** The shortest time between two redraws of the same step. */
const REDRAW_MS = 100;
/** Returns to the start of the line and erases it. */
const CLEAR = "\r\x1b[K";

/** kurun's own lines on stderr, next to the program's output, and in a terminal a line of progress that disappears again. */
export class RunScreen {
  readonly #inPlace: boolean;
  #drawn = false;
  #drawnAt = -Infinity;
  #what = "";
  /** Whether the terminal is in raw mode, in which a line feed does not return to the start of the line. */
  raw = false;

  constructor(private readonly context: Context) {
    this.#inPlace = context.terminal !== undefined && context.env("TERM") !== "dumb";
  }

  /** Prints one or more lines. */
  say(text: string): void {
    this.print(`${text}\n`);
  }

  /** Prints text. */
  print(text: string): void {
    this.clear();
    this.context.stderr(this.raw ? text.replaceAll("\n", "\r\n") : text);
  }

  /** Shows progress in a terminal. */
  progress(text: string): void {
    const now = this.context.now();
    // The text before a colon names the step; what follows it is a number that changes.
    const what = text.split(":")[0] as string;
    if (!this.#inPlace || this.raw || (what === this.#what && now - this.#drawnAt < REDRAW_MS)) return;
    this.#what = what;
    this.#drawnAt = now;
    // The terminal itself may print ^C behind it; in a full line that would wrap, and only the second line would be erased.
    const width = (this.context.terminal?.columns() ?? 80) - 1 - "^C".length;
    this.context.terminal?.write(`${CLEAR}${terminalLine(text).slice(0, width)}`);
    this.#drawn = true;
  }

  /** Erases the line of progress. */
  clear(): void {
    if (this.#drawn) this.context.terminal?.write(CLEAR);
    this.#drawn = false;
  }
}
