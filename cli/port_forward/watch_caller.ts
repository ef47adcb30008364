import { type Preamble, type RelayEnd, type RelayWatch, SessionEndedError, StreamResetError } from "../../tunnel/mod.ts";
import type { Context } from "../command/context.ts";
import { AwaitedAnswer } from "./awaited_answer.ts";
import type { LensEnd, ReadExchange } from "./exchange_reader.ts";
import { HttpLens } from "./http_lens.ts";
import type { Traffic } from "./traffic.ts";
import { carriesBytes, type Upstream } from "./upstream_url.ts";
import { formatSeconds, formatTrafficLine, timeOfDay, type TrafficLine } from "./traffic_line.ts";

/** How callers are watched. */
export interface WatchOptions extends Pick<Context, "now" | "date"> {
  /** Whether to print a line for each request (`-v`). Without it, only failures are printed, and only the first bytes are inspected. */
  readonly verbose: boolean;
  /** Chooses the exchanges whose bodies are read: they are reported by their readers instead. */
  readonly read?: ReadExchange | undefined;
  readonly upstream: Upstream;
  readonly traffic: Traffic;
  readonly say: (line: string) => void;
}

/** Connecting to the program normally takes less. If it takes longer, a request's duration counts from the caller's arrival. */
const NOTICEABLE_MS = 100;
/** A connection without a request for so long is kept for later. */
const UNUSED_MS = 1_000;
/** What HTTPS servers answer to plain HTTP: Go's net/http and nginx. */
const WANTS_TLS = /^HTTP\/1\.[01] 400 [^]*(HTTP request to an HTTPS server|HTTP request was sent to HTTPS port)/i;

/** Watches the bytes of one caller in both directions, from its arrival to its end. */
export class CallerWatch implements RelayWatch {
  readonly #options: WatchOptions;
  readonly #from: string;
  readonly #raw: "tcp" | "tls" | undefined;
  readonly #lens: HttpLens | undefined;
  /** Absent where the bytes are not HTTP/1. */
  readonly #awaited: AwaitedAnswer | undefined;
  readonly #arrivedAt: number;
  /** When the first request's caller began to wait, if the program was connected noticeably later. */
  #waitsSince: number | undefined;
  #dialing = true;
  /** How late the answer is that the next line is about. */
  #late: string | undefined;
  #refused = false;
  #forthBegun = false;
  #backBegun = false;
  /** Whether a protocol mismatch was printed. */
  #hinted = false;
  #callerLeft = false;
  #dialedAt = 0;
  #answered = false;

  constructor(options: WatchOptions, { from, alpn }: Preamble) {
    this.#options = options;
    this.#from = from;
    const { scheme } = options.upstream;
    this.#raw = carriesBytes(scheme) ? scheme : undefined;
    this.#arrivedAt = options.now();
    options.traffic.opened(this);
    const { verbose, read } = options;
    if (!this.#raw && alpn !== "h2" && !read) this.#awaited = new AwaitedAnswer(options.now);
    if (!verbose && !read) return;
    this.#lens = new HttpLens({
      caller: from,
      protocol: this.#raw ?? (alpn === "h2" ? "h2" : undefined),
      now: options.now,
      read,
      line: (line) => verbose && this.#tell(line),
      blind: (caller, why) => {
        if (verbose && !this.#hinted) options.say(`${caller}: no more lines for this connection: ${why}`);
      },
    });
  }

  /** Whether the caller waits for an answer. Go's HTTP client also opens connections that it then does not need. */
  get awaits(): boolean {
    if (this.#callerLeft) return false;
    if (this.#dialing || this.#forthBegun) return !this.#answered;
    return this.#options.now() - this.#dialedAt < UNUSED_MS;
  }

  forth(bytes: Uint8Array | null): void {
    if (!this.#forthBegun && bytes && bytes.length > 0) {
      this.#forthBegun = true;
      // A ClientHello (RFC 8446, 5.1): a handshake record of version 3.x.
      if (!this.#raw && bytes[0] === 0x16 && bytes[1] === 3) {
        const { host, port } = this.#options.upstream;
        const tls = `tls://${host.includes(":") ? `[${host}]` : host}:${port}`;
        this.#hint(`${address(this.#from)} speaks TLS, but this Service serves plain HTTP: add --tlssecret NAME, or forward ${tls}`);
      }
    }
    if (bytes) this.#answered = false;
    if (bytes) this.#awaited?.forth(bytes, this.#waitsSince);
    this.#lens?.forth(bytes, this.#waitsSince);
    this.#waitsSince = undefined;
  }

  back(bytes: Uint8Array | null): void {
    if (!this.#backBegun && bytes && bytes.length > 0) {
      this.#backBegun = true;
      const { scheme, url } = this.#options.upstream;
      if (scheme === "http" && !this.#hinted && expectsTls(bytes)) {
        this.#hint(`${url} speaks TLS: forward ${url.replace("http:", "https:")} instead`);
      }
    }
    if (bytes) this.#answered = true;
    const late = bytes ? this.#awaited?.back() : undefined;
    if (this.#options.verbose) this.#late ??= late;
    else if (late !== undefined) this.#options.say(`${this.#from}: ${this.#awaited?.subject}: ${late}`);
    this.#lens?.back(bytes);
  }

  /** The caller has ended its direction, as it does when it stops waiting. */
  callerEnded(): void {
    this.#callerLeft = true;
    if (!this.#dialing) return this.#left();
    this.#dialing = false;
    const { say, now, upstream } = this.#options;
    const waited = now() - this.#arrivedAt;
    if (this.#raw || waited < NOTICEABLE_MS) return;
    say(`${this.#from}: the caller went away after ${formatSeconds(waited)}; kurun is still connecting to ${upstream.url}`);
  }

  /** The program accepted the connection but does not answer its TLS handshake. */
  slow(): void {
    const { verbose, say, upstream } = this.#options;
    if (verbose) say(`${this.#from}: ${upstream.url} does not answer the TLS handshake; waiting. Is it stopped in a debugger?`);
  }

  /** The connection to the program was made, or failed. */
  dialed(): void {
    this.#dialing = false;
    this.#dialedAt = this.#options.now();
    if (this.#options.now() - this.#arrivedAt >= NOTICEABLE_MS) this.#waitsSince = this.#arrivedAt;
  }

  /** The program could not be reached, and the caller gets a 502. @param why begins with the program's URL */
  refused(why: string): void {
    const { traffic, say, verbose, read } = this.#options;
    if (!read) traffic.failed(why);
    this.#refused = true;
    // A raw connection has no status.
    this.#lens?.end({ ...(this.#raw ? {} : { status: 502 }), note: `refused: ${why}`, isFault: true });
    if (!verbose && !read) say(`${this.#from}: ${why}`);
    traffic.closed(this);
  }

  /** The caller's connection has ended. */
  ended({ error }: Pick<RelayEnd, "error">): void {
    const { traffic, verbose, read } = this.#options;
    const end = error && whatBroke(error);
    if (error instanceof StreamResetError) this.callerEnded();
    if (end?.isFault && !verbose && !read) traffic.failed(`${this.#from}: the program broke the connection`);
    this.#lens?.end(end);
    traffic.closed(this);
  }

  #left(): void {
    this.#lens?.left();
    const sentence = this.#awaited?.left();
    if (sentence === undefined) return;
    const { say, traffic } = this.#options;
    say(`${this.#from}: ${this.#awaited?.subject}: ${sentence}`);
    if (this.#awaited?.gaveUp) traffic.failed(`${this.#awaited.subject}: ${sentence}`);
  }

  #hint(sentence: string): void {
    this.#hinted = true;
    fail(this.#options, sentence);
  }

  #tell(seen: TrafficLine): void {
    const { say, traffic, date } = this.#options;
    const line = { ...seen, note: seen.note ?? this.#late };
    this.#late = undefined;
    say(`${timeOfDay(date())} ${formatTrafficLine(line)}`);
    const { method, target, status, note, isConnection, isFault } = line;
    if (!isConnection) traffic.request();
    // kurun's own 502 was counted when the program refused.
    if (this.#refused || !(isFault || (status !== undefined && status >= 500))) return;
    traffic.failed([method, target, status, note].filter((word) => word !== undefined).join(" "));
  }
}

/** Whether a program that got plain HTTP answers that it expects TLS, in words or with an alert (RFC 8446, 5.1). */
function expectsTls(bytes: Uint8Array): boolean {
  return bytes[0] === 0x15 && bytes[1] === 3 || WANTS_TLS.test(new TextDecoder("latin1").decode(bytes.subarray(0, 1_000)));
}

/** Reports a failed TLS handshake of a caller with the Pod. */
export function watchFailedHandshake(options: WatchOptions, from: string, why: string): void {
  const hint = /does not trust/.test(why) ? ". Is its caBundle the authority that signed --tlssecret's certificate?" : "";
  fail(options, `${address(from)}: TLS handshake failed: ${why}${hint}`);
}

/** Counts a mistake as an error, and prints it unless it was the last one: callers retry. */
function fail({ traffic, say }: WatchOptions, sentence: string): void {
  if (traffic.lastError !== sentence) say(sentence);
  traffic.failed(sentence);
}

/** An address without its port. */
function address(from: string): string {
  return from.replace(/:\d+$/, "");
}

function whatBroke(error: Error): LensEnd {
  // The server resets the stream when the caller leaves. Any other error comes from the connection to the program.
  if (error instanceof StreamResetError) return { note: "caller left", isFault: false };
  // Reported elsewhere.
  if (error instanceof SessionEndedError) return { note: "connection to the cluster lost", isFault: false };
  return { note: "reset", isFault: true };
}
