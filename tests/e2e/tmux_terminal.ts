import { kurunCommand } from "./kurun_process.ts";

/** A real terminal (tmux) whose screen can be read. */
export class TmuxTerminal implements AsyncDisposable {
  readonly #socket: string;

  private constructor(socket: string) {
    this.#socket = socket;
  }

  /** Starts a terminal of a given width with a shell command. The screen stays when the command has ended. */
  static async start(
    args: string[],
    { columns = 100, env = {} }: { columns?: number; env?: Record<string, string> } = {},
  ): Promise<TmuxTerminal> {
    const words = [...Object.entries(env).map(([name, value]) => `${name}=${value}`), ...kurunCommand(), ...args].map(quote).join(" ");
    // The terminal must outlive the command, so that its final screen can be read. Ctrl+C interrupts the shell too; dash ends without a trap.
    return await TmuxTerminal.run(`trap : INT; env -u NO_COLOR ${words}; echo "exit $?"; sleep 600`, { columns });
  }

  /** Starts a terminal with a command for sh, whatever shell the user has. */
  static async run(command: string, { columns = 100, rows = 30, folder = Deno.cwd() } = {}): Promise<TmuxTerminal> {
    const terminal = new TmuxTerminal(`kurun-${crypto.randomUUID().slice(0, 8)}`);
    const size = ["-x", String(columns), "-y", String(rows)];
    await terminal.#tmux("-f", "/dev/null", "new-session", "-d", ...size, "-c", folder, "sh", "-c", command);
    return terminal;
  }

  /** The text on the screen, without trailing spaces. @param colors whether to include escape codes */
  async screen(colors = false): Promise<string> {
    return (await this.#tmux("capture-pane", "-p", ...(colors ? ["-e"] : []))).trimEnd();
  }

  /** Waits until the screen matches. @throws with the screen after `ms` */
  async waitFor(pattern: RegExp, ms = 60_000): Promise<string> {
    const until = performance.now() + ms;
    for (;;) {
      const screen = await this.screen();
      if (pattern.test(screen)) return screen;
      if (performance.now() > until) throw new Error(`no ${pattern} on the screen:\n${screen}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Types keys by tmux's names: `C-c`. */
  async type(keys: string): Promise<void> {
    await this.#tmux("send-keys", keys);
  }

  /** Types text. */
  async write(text: string): Promise<void> {
    await this.#tmux("send-keys", "-l", "--", text);
  }

  async resize(columns: number): Promise<void> {
    await this.#tmux("resize-window", "-x", String(columns), "-y", "30");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tmux("kill-server").catch(() => {});
  }

  async #tmux(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await new Deno.Command("tmux", { args: ["-L", this.#socket, ...args] }).output();
    if (code !== 0) throw new Error(`tmux ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
    return new TextDecoder().decode(stdout);
  }
}

function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
