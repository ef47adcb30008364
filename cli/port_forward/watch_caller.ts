import { type Preamble, type RelayEnd, type RelayWatch, SessionEndedError, StreamResetError } from "../../tunnel/mod.ts";
import { HttpLens, type LensEnd } from "./http_lens.ts";
import type { Traffic } from "./traffic.ts";
import { formatTrafficLine, type TrafficLine } from "./traffic_line.ts";

/** What watching callers takes. */
export interface WatchOptions {
  /** Whether each request is told of (`-v`); otherwise only failures are, and no byte is looked at. */
  readonly verbose: boolean;
  /** The upstream's bytes are not HTTP: one line for a connection. */
  readonly raw?: "tcp" | "tls" | undefined;
  readonly traffic: Traffic;
  readonly say: (line: string) => void;
  readonly now: () => number;
}

/** Connecting takes less unless something is wrong; then a caller's time is counted from its arrival. */
const NOTICEABLE_MS = 100;

/** Follows one caller from its arrival to its end. */
export class CallerWatch {
  readonly #options: WatchOptions;
  readonly #from: string;
  readonly #lens: HttpLens | undefined;
  readonly #arrivedAt: number;
  #refused = false;

  constructor(options: WatchOptions, { from, alpn }: Preamble) {
    this.#options = options;
    this.#from = from;
    this.#arrivedAt = options.now();
    options.traffic.opened();
    if (!options.verbose) return;
    this.#lens = new HttpLens({
      caller: from,
      protocol: options.raw ?? (alpn === "h2" ? "h2" : undefined),
      now: options.now,
      line: (line) => this.#told(line),
      blind: (caller, why) => options.say(`${caller}: no lines for the rest of this connection, as ${why}`),
    });
  }

  /** The program has accepted the connection and does not answer its TLS handshake. */
  slow(url: string): void {
    if (this.#options.verbose) {
      this.#options.say(`${this.#from}: ${url} does not answer the TLS handshake; waiting. Is it stopped in a debugger?`);
    }
  }

  /** The program is connected, or cannot be. */
  dialed(): void {
    if (this.#options.now() - this.#arrivedAt >= NOTICEABLE_MS) this.#lens?.waited();
  }

  /** For {@link relay}; undefined where nobody looks. */
  get relayWatch(): RelayWatch | undefined {
    return this.#lens;
  }

  /** The program here could not be connected to, and the caller gets a 502. @param why a sentence's rest, that begins with the program */
  refused(why: string): void {
    const { traffic, say } = this.#options;
    traffic.failed(why);
    this.#refused = true;
    if (this.#lens) this.#lens.end({ status: 502, note: `refused: ${why}`, isFault: true });
    else say(`${this.#from}: ${why}`);
    traffic.closed();
  }

  /** It is over. */
  ended({ error }: RelayEnd): void {
    const { traffic } = this.#options;
    const end = error && whatBroke(error);
    if (end?.isFault && !this.#lens) traffic.failed(`${this.#from}: the program broke the connection`);
    this.#lens?.end(end);
    traffic.closed();
  }

  #told(line: TrafficLine): void {
    const { say, traffic } = this.#options;
    say(formatTrafficLine(line));
    const { method, target, status, note, isConnection, isFault } = line;
    if (!isConnection) traffic.request();
    // A 502 of ours has been counted when the program refused.
    if (this.#refused || !(isFault || (status !== undefined && status >= 500))) return;
    traffic.failed([method, target, status, note].filter((word) => word !== undefined).join(" "));
  }
}

/** Where the connection to the cluster was lost, the link says so itself. */
function whatBroke(error: Error): LensEnd {
  // The tunnel's stream is reset by the other side when the caller goes; what is left is the program's own connection.
  if (error instanceof StreamResetError) return { note: "caller left", isFault: false };
  if (error instanceof SessionEndedError) return { note: "connection to the cluster lost", isFault: false };
  return { note: "reset", isFault: true };
}
