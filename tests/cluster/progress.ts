/** How often a terminal is redrawn, and how often a log gets a line. */
const EVERY_MS = { terminal: 200, log: 15_000 };
/** Work that took less than this gets no closing line. */
const WORTH_MS = 500;

/** A piece of work under way. */
interface Task {
  readonly what: string;
  readonly began: number;
  detail: string;
}

/** Shows what happens while a person waits: one line that is redrawn on a terminal, a line now and then in a log. */
export class Progress {
  readonly #write: (text: string) => void;
  readonly #terminal: boolean;
  readonly #tasks = new Set<Task>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #drawn = false;

  constructor(write: (text: string) => void, terminal: boolean) {
    this.#write = write;
    this.#terminal = terminal;
  }

  /** Says something once. */
  say(text: string): void {
    this.#erase();
    this.#write(`${text}\n`);
  }

  /** Shows a piece of work for as long as it takes; several may be under way. The work may say how far it is. */
  async during<T>(what: string, work: (detail: (text: string) => void) => Promise<T>): Promise<T> {
    const task: Task = { what, began: performance.now(), detail: "" };
    this.#tasks.add(task);
    this.#timer ??= setInterval(() => this.#draw(), this.#terminal ? EVERY_MS.terminal : EVERY_MS.log);
    try {
      return await work((text) => task.detail = text);
    } finally {
      this.#tasks.delete(task);
      if (this.#tasks.size === 0) {
        clearInterval(this.#timer);
        this.#timer = undefined;
      }
      this.#erase();
      const took = performance.now() - task.began;
      if (took > WORTH_MS) this.say(`${what}: ${(took / 1000).toFixed(1)} s`);
    }
  }

  #draw(): void {
    const lines = [...this.#tasks].map(({ what, began, detail }) =>
      `${what}: ${minutes(performance.now() - began)}${detail && `, ${detail}`}`
    );
    if (!this.#terminal) return lines.forEach((line) => this.say(line));
    this.#write(`\r\x1b[K${lines.join("; ").slice(0, terminalWidth() - 1)}`);
    this.#drawn = true;
  }

  #erase(): void {
    if (this.#drawn) this.#write("\r\x1b[K");
    this.#drawn = false;
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
