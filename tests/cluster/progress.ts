/** How often a terminal is drawn anew, and a log gets a line, while something takes long. */
const EVERY_MS = { terminal: 200, log: 15_000 };
/** What takes less is not worth a line in a log. */
const WORTH_MS = 500;

/** Says what happens while a person waits: one line that moves on a terminal, a line now and then in a log. */
export class Progress {
  readonly #write: (text: string) => void;
  readonly #terminal: boolean;

  constructor(write: (text: string) => void, terminal: boolean) {
    this.#write = write;
    this.#terminal = terminal;
  }

  /** Says something once. */
  say(text: string): void {
    this.#write(`${text}\n`);
  }

  /** Says what is done for as long as it takes; the work may say how far it is. */
  async during<T>(what: string, work: (detail: (text: string) => void) => Promise<T>): Promise<T> {
    const began = performance.now();
    let detail = "";
    let drawn = false;
    const draw = () => {
      const line = `${what}: ${minutes(performance.now() - began)}${detail && `, ${detail}`}`;
      if (!this.#terminal) this.say(line);
      else this.#write(`\r\x1b[K${line.slice(0, terminalWidth() - 1)}`);
      drawn = true;
    };
    const timer = setInterval(draw, this.#terminal ? EVERY_MS.terminal : EVERY_MS.log);
    try {
      return await work((text) => detail = text);
    } finally {
      clearInterval(timer);
      if (drawn && this.#terminal) this.#write("\r\x1b[K");
      const took = performance.now() - began;
      if (took > WORTH_MS) this.say(`${what}: ${(took / 1000).toFixed(1)} s`);
    }
  }
}

/** Progress on this process's stderr. */
export function progressOnStderr(): Progress {
  const encoder = new TextEncoder();
  return new Progress((text) => Deno.stderr.writeSync(encoder.encode(text)), Deno.stderr.isTerminal());
}

function minutes(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

function terminalWidth(): number {
  try {
    return Deno.consoleSize().columns;
  } catch {
    return 80;
  }
}
