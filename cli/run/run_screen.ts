import type { Context } from "../command/context.ts";
import { terminalLine } from "../command/terminal_text.ts";

/** Progress is drawn this often at most. */
const REDRAW_MS = 100;
/** To the line's beginning, and nothing from there on. */
const CLEAR = "\r\x1b[K";

/** kurun's own words beside a program's: lines on standard error, and in a terminal a line of progress that goes again. */
export class RunScreen {
  readonly #context: Context;
  readonly #inPlace: boolean;
  #drawn = false;
  #drawnAt = -Infinity;
  #what = "";
  /** Whether the terminal leaves it to us to go to a line's beginning. */
  raw = false;

  constructor(context: Context) {
    this.#context = context;
    this.#inPlace = context.terminal !== undefined && context.env("TERM") !== "dumb";
  }

  /** Says a line, or several. */
  say(text: string): void {
    this.clear();
    const lines = `${text}\n`;
    this.#context.stderr(this.raw ? lines.replaceAll("\n", "\r\n") : lines);
  }

  /** Passes on what a compiler says, as it is. */
  compiler(text: string): void {
    this.clear();
    this.#context.stderr(text);
  }

  /** Shows how far something has come, in a terminal. */
  progress(text: string): void {
    const now = this.#context.now();
    // The words before a number that counts say what is done now.
    const what = text.split(":")[0] as string;
    if (!this.#inPlace || this.raw || (what === this.#what && now - this.#drawnAt < REDRAW_MS)) return;
    this.#what = what;
    this.#drawnAt = now;
    const width = (this.#context.terminal?.columns() ?? 80) - 1;
    this.#context.terminal?.write(`${CLEAR}${terminalLine(text).slice(0, width)}`);
    this.#drawn = true;
  }

  /** Takes the progress away: the program speaks now. */
  clear(): void {
    if (this.#drawn) this.#context.terminal?.write(CLEAR);
    this.#drawn = false;
  }
}
