import type { UserStdio } from "../command/context.ts";
import type { RemoteRun } from "./remote_run.ts";
import type { RunOptions } from "./run_flags.ts";
import type { RunScreen } from "./run_screen.ts";

/** Ctrl+C as a terminal in raw mode sends it. */
const INTERRUPT = 3;

type InputTaker = Pick<RemoteRun, "input" | "ended">;

interface RunInputOptions extends Pick<RunOptions, "stdin" | "terminal"> {
  /** Whether a key that is typed now reaches the program. */
  readonly connected: () => boolean;
  /** Called for a Ctrl+C that cannot reach the program. */
  readonly interrupt: () => void;
}

/** Passes standard input and the terminal to one run after the other. While no program runs, the terminal is not in raw mode. */
export class RunInput {
  #run: InputTaker | undefined;
  #ended = false;

  constructor(
    private readonly stdio: Pick<UserStdio, "read" | "setRaw">,
    private readonly screen: Pick<RunScreen, "raw">,
    private readonly options: RunInputOptions,
  ) {}

  /** Passes input to a run that has started, instead of the one before. */
  lend(run: InputTaker): void {
    const before = this.#run;
    this.#run = run;
    // The run before takes nothing more; whoever waits for room in its buffer continues with this one.
    before?.input.taken(before.input.written);
    if (this.#ended) run.input.end();
    if (this.options.terminal) {
      this.#setRaw(true);
      const ended = () => {
        if (this.#run === run) this.#setRaw(false);
      };
      run.ended().then(ended, ended);
    }
    if (this.options.stdin && !before) void this.#carry().catch(() => {});
  }

  /** Ends the terminal's raw mode. */
  takeBack(): void {
    if (this.options.terminal) this.#setRaw(false);
  }

  async #carry(): Promise<void> {
    for (let bytes = await this.stdio.read(); bytes !== null; bytes = await this.stdio.read()) {
      const full = this.#run?.input.write(this.#withoutInterrupts(bytes));
      if (full) await full;
    }
    this.#ended = true;
    this.#run?.input.end();
  }

  /** While the connection is lost, keys wait for it. But a Ctrl+C then ends the program: each one is taken out and interrupts. */
  #withoutInterrupts(bytes: Uint8Array): Uint8Array {
    const { terminal, connected, interrupt } = this.options;
    if (!terminal || connected()) return bytes;
    const others = bytes.filter((byte) => byte !== INTERRUPT);
    for (let left = bytes.length - others.length; left > 0; left--) interrupt();
    return others;
  }

  #setRaw(raw: boolean): void {
    this.stdio.setRaw(raw);
    this.screen.raw = raw;
  }
}
