import { type BodyFraming, requestFraming, responseFraming } from "../../tunnel/http1/body.ts";
import { Http1Error, parseRequestHead, parseResponseHead, type ResponseHead, type Span, textOf } from "../../tunnel/http1/head.ts";
import { MAX_AWAITED, Messages } from "../../tunnel/http1/messages.ts";
import { formatBytes, shownTarget, type TrafficLine } from "./traffic_line.ts";

/** What a lens needs. */
export interface LensOptions {
  /** The caller's address and port. */
  readonly caller: string;
  /** What it speaks, where that is known not to be HTTP/1: then there is one line for the whole connection. */
  readonly protocol?: "h2" | "tcp" | "tls" | undefined;
  readonly now: () => number;
  /** Takes each line's content. */
  readonly line: (line: TrafficLine) => void;
  /** Says that the lens cannot read a connection, and why. */
  readonly blind: (caller: string, why: string) => void;
}

/** How a connection ended, beside by itself. */
export interface LensEnd {
  /** The status that the caller gets where no program answered: 502. */
  readonly status?: number;
  /** What went wrong, in a few words. */
  readonly note: string;
  /** Whether that is an error: a caller may leave when it likes. */
  readonly isFault: boolean;
}

/** More than is shown of a target. One may have 64 KiB, and a caller have 256 requests waiting. */
const MAX_TARGET_BYTES = 512;

const NO_ANSWER: LensEnd = { note: "closed without an answer", isFault: true };

/** A request whose answer is awaited or under way. */
interface Exchange {
  readonly method: string;
  readonly target: string;
  readonly since: number;
}

/**
 * Watches the bytes of one caller's connection in both directions, and tells of each request. It never changes, holds or delays a byte;
 * where it cannot read them as HTTP/1, it looks away for the rest of the connection.
 */
export class HttpLens {
  readonly #options: LensOptions;
  readonly #opened: number;
  readonly #awaited: Exchange[] = [];
  #mode: "http1" | "connection" | "blind";
  /** For {@link #mode} connection: what the line calls it, since when, and the bytes before that belonged to other lines. */
  #connection: string;
  #connectionSince: number;
  #forthBytes = 0;
  #backBytes = 0;
  #requests: Messages;
  #responses: Messages;
  #since = 0;
  #answer: ResponseHead | undefined;
  #answerBytes = 0;
  #untilClose = false;
  /** A request asked for another protocol, and its answer is awaited. */
  #upgrading = false;

  /** One for each connection. */
  constructor(options: LensOptions) {
    this.#options = options;
    this.#opened = this.#connectionSince = options.now();
    this.#connection = options.protocol ?? "";
    this.#mode = options.protocol ? "connection" : "http1";
    this.#requests = new Messages("request", {
      head: (bytes, start, end) => this.#requestHead(bytes, start, end),
      body: () => {},
      end: () => {},
    });
    this.#responses = new Messages("response", {
      head: (bytes, start, end) => this.#responseHead(parseResponseHead(bytes, start, end)),
      body: (_bytes, _start, _end, content) => void (this.#answerBytes += content),
      end: () => this.#responseEnd(),
    });
  }

  /** Bytes from the caller, before they go on; null for the end of them. */
  forth(bytes: Uint8Array | null): void {
    if (!bytes || bytes.length === 0) return;
    this.#forthBytes += bytes.length;
    if (this.#mode !== "http1") return;
    if (this.#requests.between) this.#since = this.#options.now();
    this.#read(this.#requests, bytes, () => this.#upgrading && this.#requests.between);
  }

  /** Bytes to the caller, before they go on; null for the end of them. */
  back(bytes: Uint8Array | null): void {
    if (bytes === null) return this.#backEnded();
    this.#backBytes += bytes.length;
    if (this.#mode !== "http1") return;
    if (this.#forthBytes === 0 && isHttp2Settings(bytes)) {
      this.#mode = "connection";
      this.#connection = "h2";
      return;
    }
    const at = this.#read(this.#responses, bytes);
    // The other protocol's first bytes may have come right behind the 101.
    if (this.#isUpgraded) this.#backBytes = bytes.length - at;
  }

  get #isUpgraded(): boolean {
    return this.#mode === "connection";
  }

  /** The connection is over. @param end what went wrong, where something did */
  end(end?: LensEnd): void {
    if (this.#mode === "connection") this.#connectionLine(end);
    else if (this.#mode === "http1") this.#lastLines(end);
    this.#mode = "blind";
  }

  /** @returns where in `bytes` it stopped */
  #read(messages: Messages, bytes: Uint8Array, mustStop?: () => boolean): number {
    let at = 0;
    try {
      while (at < bytes.length && this.#mode === "http1") {
        if (mustStop?.()) throw new Http1Error("the caller goes on before the answer to its Upgrade");
        at = messages.read(bytes, at);
      }
    } catch (error) {
      this.#lookAway(error);
    }
    return at;
  }

  #lookAway(error: unknown): void {
    if (error instanceof Http1Error && error.isHttp2 && this.#awaited.length === 0) {
      this.#mode = "connection";
      this.#connection = "h2";
      return;
    }
    this.#mode = "blind";
    // Whatever a fault of the lens is, the bytes go on.
    this.#options.blind(this.#options.caller, error instanceof Http1Error ? error.message : `a fault of kurun's own: ${error}`);
  }

  #requestHead(bytes: Uint8Array, start: number, end: number): BodyFraming {
    const head = parseRequestHead(bytes, start, end);
    if (this.#awaited.length === MAX_AWAITED) throw new Http1Error(`more than ${MAX_AWAITED} requests wait for answers`);
    this.#awaited.push({ method: head.method, target: keptTarget(bytes, head.targetSpan), since: this.#since });
    this.#upgrading = head.asksUpgrade;
    return head.method === "CONNECT" ? 0 : requestFraming(head);
  }

  #responseHead(head: ResponseHead): BodyFraming {
    this.#answer = head;
    this.#answerBytes = 0;
    const framing = responseFraming(head, this.#awaited[0]?.method);
    this.#untilClose = framing === "until-close";
    // Nothing of the other protocol belongs to this message: it ends here.
    return framing === "opaque" ? 0 : framing;
  }

  #responseEnd(): void {
    const { status } = this.#answer as ResponseHead;
    if (status < 200 && status !== 101) {
      this.#answer = undefined;
      return;
    }
    const isOpaque = status === 101 || (this.#awaited[0]?.method === "CONNECT" && status < 300);
    this.#answered();
    if (this.#awaited.length === 0) this.#upgrading = false;
    if (!isOpaque) return;
    this.#mode = "connection";
    this.#connection = "upgraded";
    this.#connectionSince = this.#options.now();
    this.#forthBytes = 0;
    this.#backBytes = 0;
  }

  #answered(cut?: LensEnd): void {
    this.#line(this.#awaited.shift(), this.#answer?.status, this.#answerBytes, cut && { ...cut, note: `cut short: ${cut.note}` });
    this.#answer = undefined;
    this.#answerBytes = 0;
    this.#untilClose = false;
  }

  #backEnded(): void {
    if (this.#mode !== "http1") return;
    if (this.#answer) this.#answered(this.#untilClose ? undefined : { note: "the program closed the connection", isFault: true });
    this.#unanswered(NO_ANSWER);
  }

  #lastLines(end: LensEnd = NO_ANSWER): void {
    if (this.#answer) this.#answered(end);
    // Without a whole head nobody knows what it was.
    if (end.status !== undefined && this.#awaited.length === 0) this.#awaited.push({ method: "-", target: "-", since: this.#opened });
    if (this.#awaited.length > 0) return this.#unanswered(end);
    // A line for bytes that were no whole request, however HTTP-like they began.
    if (this.#requests.inHead || this.#responses.inHead) this.#options.blind(this.#options.caller, "it ended within a head");
  }

  #unanswered(end: LensEnd): void {
    for (const exchange of this.#awaited.splice(0)) this.#line(exchange, end.status, 0, end);
  }

  #line(exchange: Exchange | undefined, status: number | undefined, bytes: number, end: LensEnd | undefined): void {
    const { caller, now, line } = this.#options;
    const ended = now();
    const { method, target, since } = exchange ?? { method: "-", target: "-", since: ended };
    line({ method, target, status, bytes, ms: ended - since, caller, note: end?.note, isFault: end?.isFault ?? false });
  }

  #connectionLine(end: LensEnd | undefined): void {
    const { caller, now, line } = this.#options;
    line({
      method: this.#connection,
      target: "-",
      status: end?.status,
      bytes: this.#backBytes,
      ms: now() - this.#connectionSince,
      caller,
      note: `${formatBytes(this.#forthBytes)} in${end ? `, ${end.note}` : ""}`,
      isConnection: true,
      isFault: end?.isFault ?? false,
    });
  }
}

/** What is shown of a target. Where the end of a user's name and password may be cut off, they could not be told from a host: then nothing. */
function keptTarget(bytes: Uint8Array, { start, end }: Span): string {
  if (end - start <= MAX_TARGET_BYTES) return shownTarget(textOf(bytes, { start, end }));
  const cut = textOf(bytes, { start, end: start + MAX_TARGET_BYTES });
  return cut.startsWith("/") ? `${shownTarget(cut).replace(/…$/, "")}…` : "…";
}

/** Whether a program speaks first with HTTP/2's SETTINGS (RFC 9113, 3.4), as gRPC's servers do. */
function isHttp2Settings(bytes: Uint8Array): boolean {
  return bytes.length >= 9 && bytes[0] === 0 && [...bytes.subarray(3, 9)].join() === "4,0,0,0,0,0";
}
