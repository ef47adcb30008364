import {
  type ClientMessage,
  type ClientRequest,
  encodeMessage,
  encodePreamble,
  parseSupervisorMessage,
  readAnswer,
  readMessages,
  type Session,
  type Stream,
} from "../../tunnel/mod.ts";
import { NotStartedError, type OutputWriter, RemoteRun, type RunSettings, type SentProgram } from "./remote_run.ts";

/**
 * The client of the supervisor that runs programs in the Pod. On each new connection it repeats the requests that the supervisor did not
 * get, and every run continues where the last connection left it.
 */
export class SupervisorClient {
  readonly #architecture = Promise.withResolvers<string>();
  /** The node's architecture, in Go's spelling. Resolves with the first connection. */
  readonly architecture: Promise<string> = this.#architecture.promise;
  #session: Session | undefined;
  #control: Stream | undefined;
  /** Requests that the supervisor has not confirmed. */
  #requests: ClientMessage[] = [];
  #seq = 0;
  /** The present run, last, and the one before it, whose last output may still arrive. */
  #runs: RemoteRun[] = [];
  #waiting: ((session: Session) => void)[] = [];

  /** @param write gets the output of programs in order; if it throws, the rest of that output is dropped */
  constructor(private readonly write: OutputWriter) {}

  /** Whether there is a connection to the Pod now. */
  get connected(): boolean {
    return this.#session !== undefined && !this.#session.ended;
  }

  /** Continues on this connection instead of the one before. */
  attach(session: Session): void {
    this.#session = session;
    void this.#follow(session).catch(() => {});
    for (const run of this.#runs) run.attach(session);
    for (const go of this.#waiting.splice(0)) go(session);
  }

  /**
   * Runs a program instead of the one before. Its output follows all output of that one.
   * @param stdin whether {@link RemoteRun.input} is used
   * @throws {NotStartedError} if its arguments and environment are too long to be sent
   */
  start(program: SentProgram, settings: RunSettings, stdin: boolean): RemoteRun {
    const before = this.#runs.at(-1);
    const number = (before?.number ?? 0) + 1;
    const write: OutputWriter = async (output, bytes) => {
      await this.write(output, bytes).catch((error) => {
        // Nobody reads this output any more.
        this.ask({ do: "close", run: number, output });
        throw error;
      });
    };
    const run = new RemoteRun(number, program, write, before?.outputDone ?? Promise.resolve());
    try {
      this.ask({ do: "start", run: number, sha256: program.sha256, stdin, ...settings });
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      throw new NotStartedError("its arguments and environment are longer than 8 MiB", { cause });
    }
    this.#runs = [...(before ? [before] : []), run];
    if (this.#session) run.attach(this.#session);
    return run;
  }

  /** Connects to a port in the Pod, with the next connection if there is none now. @throws Error for the user, or the signal's reason */
  async openPort(port: number, signal: AbortSignal): Promise<{ stream: Stream; rest: Uint8Array }> {
    const session = this.#session && this.connected ? this.#session : await this.#nextSession(signal);
    const stream = session.open(encodePreamble({ for: "port", port }));
    const { refused, rest } = await readAnswer(stream);
    if (refused !== undefined) throw new Error(refused);
    return { stream, rest };
  }

  #nextSession(signal: AbortSignal): Promise<Session> {
    return new Promise((resolve, reject) => {
      this.#waiting.push(resolve);
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
  }

  async #follow(session: Session): Promise<void> {
    const control = session.open(encodePreamble({ for: "control" }));
    const { refused, rest } = await readAnswer(control);
    if (refused !== undefined) return;
    for await (const value of readMessages(control, rest)) {
      const message = parseSupervisorMessage(value);
      if (message.is === "ready") {
        this.#architecture.resolve(message.architecture);
        this.#requests = this.#requests.filter(({ seq }) => seq > message.seq);
        for (const request of this.#requests) control.send(encodeMessage(request));
        // Set only now: a new request must not overtake the repeated ones.
        this.#control = control;
      } else {
        this.#runs.find(({ number }) => number === message.run)?.told(message);
      }
    }
  }

  /** Sends a request on this connection, and on the next if it is lost. @throws RangeError if it is too long, which is checked first */
  ask(request: ClientRequest): void {
    const message: ClientMessage = { seq: this.#seq + 1, ...request };
    const encoded = encodeMessage(message);
    this.#seq++;
    this.#requests.push(message);
    this.#control?.send(encoded);
  }
}
