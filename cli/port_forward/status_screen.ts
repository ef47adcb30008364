import type { Context } from "../command/context.ts";
import { renderStatus, type StatusState } from "./status_line.ts";
import { Traffic } from "./traffic.ts";

/** Five times a second at most. */
const REDRAW_MS = 200;
/** Where there is no line to draw: what is said within this time is one write. 20,000 lines a second, each with its own, took 8 % of the load. */
const GATHER_MS = 20;
/** To the line's beginning, and nothing from there on. */
const CLEAR = "\r\x1b[K";

/**
 * The status line at the foot of a terminal: redrawn in its place, with what else is said above it. Where standard error is no terminal,
 * or one that cannot move its cursor, there is none, and what is said passes at once, or soon where much is said.
 */
export class StatusScreen {
  /** For all that is said while the screen is open. */
  readonly context: Context;
  /** What the line counts. */
  readonly traffic: Traffic;
  readonly #outer: Context;
  readonly #columns: (() => number) | undefined;
  readonly #color: boolean;
  #state: StatusState = { is: "waiting" };
  /** What is said and not yet shown. */
  #lines = "";
  #drawn = false;
  #drawnAt = -Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(outer: Context) {
    this.#outer = outer;
    this.#columns = outer.env("TERM") === "dumb" ? undefined : outer.terminal?.columns;
    // https://no-color.org: set and not empty.
    this.#color = !outer.env("NO_COLOR");
    this.traffic = new Traffic(() => this.#changed());
    this.context = { ...outer, stdout: (text) => this.#print(() => outer.stdout(text)), stderr: (text) => this.#say(text) };
    this.#changed();
  }

  /** Shows another state. */
  show(state: StatusState): void {
    this.#state = state;
    this.#changed();
  }

  /** Takes the line away for good; what is said afterwards passes as it is. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#write("");
  }

  #say(text: string): void {
    if (this.#closed) return this.#outer.stderr(text);
    this.#lines += text;
    this.#changed();
  }

  #print(print: () => void): void {
    if (!this.#closed) this.#write("");
    print();
    this.#changed();
  }

  #changed(): void {
    if (this.#closed || this.#timer !== undefined || (!this.#columns && this.#lines === "")) return;
    const wait = this.#drawnAt + (this.#columns ? REDRAW_MS : GATHER_MS) - this.#outer.now();
    if (wait <= 0) return this.#draw();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#draw();
    }, wait);
  }

  #draw(): void {
    this.#drawnAt = this.#outer.now();
    // The last column stays free: some terminals wrap there.
    this.#write(this.#columns ? renderStatus(this.#state, this.traffic, this.#columns() - 1, this.#color) : "");
  }

  /** One write, so that nothing flickers. */
  #write(status: string): void {
    const text = `${this.#drawn ? CLEAR : ""}${this.#lines}${status}`;
    this.#lines = "";
    this.#drawn = status !== "";
    if (text !== "") this.#outer.stderr(text);
  }
}
