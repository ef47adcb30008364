import type { Context } from "../command/context.ts";
import { terminalText } from "../command/terminal_text.ts";
import { renderStatus, type StatusState } from "./status_line.ts";
import { Traffic } from "./traffic.ts";

/** The status line is redrawn at most five times a second. */
const REDRAW_MS = 200;
/** Without a status line, messages within this time become one write: at 20,000 lines a second, single writes took 8 % of the time. */
const GATHER_MS = 20;
/** Moves to the start of the line and erases it. */
const CLEAR = "\r\x1b[K";
/** The last column stays free, since some terminals wrap there, and so do two for the `^C` that a terminal echoes. */
const FREE_COLUMNS = 3;

/** A status line at the bottom of a terminal that can move its cursor, redrawn in place; all other messages are printed above it. */
export class StatusScreen {
  /** The context to print with while the screen is open. */
  readonly context: Context;
  readonly traffic: Traffic;
  readonly #outer: Context;
  readonly #terminal: Context["terminal"];
  #state: StatusState;
  /** Messages that are yet to be printed. */
  #lines = "";
  #drawn = false;
  #drawnAt = -Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Redraws every second while the line shows a duration. */
  readonly #clock: ReturnType<typeof setInterval> | undefined;
  #closed = false;

  constructor(outer: Context) {
    this.#outer = outer;
    this.#terminal = outer.env("TERM") === "dumb" ? undefined : outer.terminal;
    this.#state = { is: "starting", since: outer.date() };
    this.traffic = new Traffic(() => this.#changed());
    const aboveLine = (print: (text: string) => void) => (text: string) => {
      if (!this.#closed) this.#write("");
      print(text);
      // The reader of a pipe (`| tee`) may print to this terminal a moment later, so the status line returns only after a pause.
      this.#drawnAt = outer.now();
      this.#changed();
    };
    const stderr = (text: string) => {
      if (this.#closed) return outer.stderr(text);
      this.#lines += text;
      this.#changed();
    };
    this.context = { ...outer, data: aboveLine(outer.data), stdout: aboveLine(outer.stdout), stderr };
    if (this.#terminal) this.#clock = setInterval(() => this.#state.is === "starting" && this.#changed(), 1_000);
    this.#changed();
  }

  /** Whether there is a status line. */
  get isLive(): boolean {
    return this.#terminal !== undefined;
  }

  show(state: StatusState): void {
    this.#state = state;
    this.#changed();
  }

  /** Removes the line. Later messages are printed directly. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    clearInterval(this.#clock);
    this.#write("");
  }

  #changed(): void {
    if (this.#closed || this.#timer !== undefined || (!this.#terminal && this.#lines === "")) return;
    const wait = this.#drawnAt + (this.#terminal ? REDRAW_MS : GATHER_MS) - this.#outer.now();
    if (wait <= 0) return this.#draw();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#draw();
    }, wait);
  }

  #draw(): void {
    this.#drawnAt = this.#outer.now();
    if (!this.#terminal) return this.#write("");
    // https://no-color.org: set and not empty.
    const color = !this.#outer.env("NO_COLOR");
    const width = this.#terminal.columns() - FREE_COLUMNS;
    this.#write(renderStatus(this.#state, this.traffic, { width, color, now: this.#outer.date() }));
  }

  /** Prints the messages and the status in one write, so that nothing flickers. */
  #write(status: string): void {
    const lines = this.#lines;
    this.#lines = "";
    if (this.#terminal) {
      const text = `${this.#drawn ? CLEAR : ""}${terminalText(lines)}${status}`;
      if (text !== "") this.#terminal.write(text);
    } else if (lines !== "") this.#outer.stderr(lines);
    this.#drawn = status !== "";
  }
}
