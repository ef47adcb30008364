import type { Context } from "../command/context.ts";
import type { ClientRun } from "./run_client.ts";
import type { RunScreen } from "./run_screen.ts";

/** Ctrl+C, as a terminal that does nothing about it hands it on. */
const INTERRUPT = 3;

/** A run, as far as it is lent to. */
export type InputTaker = Pick<ClientRun, "input" | "ended">;

/** What a {@link RunInput} works with. */
export interface RunInputOptions {
  readonly context: Pick<Context, "stdio">;
  readonly screen: Pick<RunScreen, "raw">;
  /** Whether programs read standard input. */
  readonly stdin: boolean;
  /** Whether they have a terminal of their own, and this one hands each key on. */
  readonly terminal: boolean;
  /** Whether a key that is typed now reaches the program. */
  readonly connected: () => boolean;
  /** Told of Ctrl+C that cannot reach it. */
  readonly interrupt: () => void;
}

/** Standard input and the terminal's raw mode, lent to one run after the other; while none goes on the terminal is the user's again. */
export class RunInput {
  readonly #options: RunInputOptions;
  #run: InputTaker | undefined;
  #ended = false;

  constructor(options: RunInputOptions) {
    this.#options = options;
  }

  /** Lends them to a run that has started, in place of the one before. */
  lend(run: InputTaker): void {
    const before = this.#run;
    this.#run = run;
    // What that one has not taken nobody takes: who waits for it goes on with this one.
    before?.input.taken(before.input.written);
    if (this.#ended) run.input.end();
    if (this.#options.terminal) this.#lendTerminal(run);
    if (this.#options.stdin && !before) void this.#carry().catch(() => {});
  }

  /** Gives the terminal back to the user. */
  takeBack(): void {
    if (this.#options.terminal) this.#setRaw(false);
  }

  #lendTerminal(run: InputTaker): void {
    this.#setRaw(true);
    const ended = () => {
      if (this.#run === run) this.#setRaw(false);
    };
    run.ended().then(ended, ended);
  }

  async #carry(): Promise<void> {
    const { stdio } = this.#options.context;
    for (let bytes = await stdio.read(); bytes !== null; bytes = await stdio.read()) {
      const full = this.#run?.input.write(this.#withoutInterrupts(bytes));
      if (full) await full;
    }
    this.#ended = true;
    this.#run?.input.end();
  }

  /** While the connection is lost keys wait; who types Ctrl+C then wants an end, and twice one at once. */
  #withoutInterrupts(bytes: Uint8Array): Uint8Array {
    const { terminal, connected, interrupt } = this.#options;
    if (!terminal || connected()) return bytes;
    const others = bytes.filter((byte) => byte !== INTERRUPT);
    for (let left = bytes.length - others.length; left > 0; left--) interrupt();
    return others;
  }

  #setRaw(raw: boolean): void {
    this.#options.context.stdio.setRaw(raw);
    this.#options.screen.raw = raw;
  }
}
