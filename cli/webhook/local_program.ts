import type { SessionCertificates } from "../../k8s/certificate/session_ca.ts";
import type { Context } from "../command/context.ts";
import { isLoopback } from "../local/loopback.ts";
import type { Upstream } from "../port_forward/upstream_url.ts";
import { awaitProgram, checkNothingListens } from "./await_program.ts";
import { defaultCertificateFolder, placeCertificate, type PlacedCertificate } from "./certificate_files.ts";
import { checkCommand, type RunningCommand, startCommand } from "./program_command.ts";

/** The program that answers reviews, and how it gets there. */
export interface ProgramWishes {
  readonly upstream: Upstream;
  /** The command that starts it; empty if the user does that. */
  readonly command: readonly string[];
  /** The folder for its certificate, if not where controller-runtime looks for it. */
  readonly folder: string | undefined;
}

/** The program on this machine, with what kurun did for it. */
export class LocalProgram {
  readonly #upstream: Upstream;
  readonly #caPem: string;
  readonly #placed: PlacedCertificate | undefined;
  readonly #command: RunningCommand | undefined;
  readonly #ended = new AbortController();
  /** The exit code of the command, if it has ended. */
  exitCode: number | undefined;

  private constructor(upstream: Upstream, caPem: string, placed?: PlacedCertificate, command?: RunningCommand) {
    this.#upstream = upstream;
    this.#caPem = caPem;
    this.#placed = placed;
    this.#command = command;
    // Never rejects: a command just ends.
    void command?.ended.then((code) => {
      this.exitCode = code;
      this.#ended.abort(new Error("the command after -- has ended"));
    });
  }

  /** Finds mistakes before anything depends on the program. @throws UserError */
  static async check({ command, upstream }: ProgramWishes, { env, interrupted }: Context): Promise<void> {
    if (command.length === 0) return;
    await checkCommand(command, env);
    await checkNothingListens(upstream, interrupted);
  }

  /** Places the session's certificate, if the program speaks TLS, and then starts the command. @throws UserError */
  static async start(
    { upstream, command, folder }: ProgramWishes,
    { caPem, ...pair }: SessionCertificates,
    { env, stderr }: Context,
  ): Promise<LocalProgram> {
    const isHere = upstream.scheme === "https" && isLoopback(upstream.host);
    const placed = isHere || folder !== undefined ? await placeCertificate(folder ?? defaultCertificateFolder(env), pair) : undefined;
    try {
      const running = command.length === 0 ? undefined : startCommand(command, { say: (line) => stderr(`${line}\n`) });
      return new LocalProgram(upstream, caPem, placed, running);
    } catch (error) {
      await placed?.restore();
      throw error;
    }
  }

  /** Aborted when the command has ended; never without a command. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** Waits until it can be called. @returns how, with what its certificate is verified by @throws as {@link awaitProgram} does */
  listening(say: (line: string) => void, signal: AbortSignal): Promise<Upstream> {
    return awaitProgram(this.#upstream, { caPem: this.#caPem, say, signal });
  }

  /** Ends the command, if there is one, and puts back what was where its certificate is. @throws UserError if that fails */
  async end(): Promise<void> {
    await this.#command?.stop();
    await this.#placed?.restore();
  }
}
