import type { Context } from "../context.ts";
import { renderStatus, type StatusState } from "./status_line.ts";
import { Traffic } from "./traffic.ts";

/** Five times a second at most. */
const REDRAW_MS = 200;
/** To the line's beginning, and nothing from there on. */
const CLEAR = "\r\x1b[K";

/**
 * The status line at the foot of a terminal: redrawn in its place, with what else is said above it. Where standard error is no terminal,
 * or one that cannot move its cursor, there is none, and what is said passes as it is.
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
    this.context = this.#columns
      ? { ...outer, stdout: (text) => this.#print(() => outer.stdout(text)), stderr: (text) => this.#say(text) }
      : outer;
    this.#changed();
  }

  /** Shows another state. */
  show(state: StatusState): void {
    this.#state = state;
    this.#changed();
  }

  /** Takes the line away for good; what is said afterwards passes as it is. */
  close(): void {
    if (this.#closed || !this.#columns) return;
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
    if (!this.#columns || this.#closed || this.#timer !== undefined) return;
    const wait = this.#drawnAt + REDRAW_MS - this.#outer.now();
    if (wait <= 0) return this.#draw();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#draw();
    }, wait);
  }

  #draw(): void {
    this.#drawnAt = this.#outer.now();
    // The last column stays free: some terminals wrap there.
    this.#write(renderStatus(this.#state, this.traffic, (this.#columns as () => number)() - 1, this.#color));
  }

  /** One write, so that nothing flickers. */
  #write(status: string): void {
    const text = `${this.#drawn ? CLEAR : ""}${this.#lines}${status}`;
    this.#lines = "";
    this.#drawn = status !== "";
    if (text !== "") this.#outer.stderr(text);
  }
}
