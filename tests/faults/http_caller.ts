import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Sight } from "./flow_records.ts";

/** Where a flow's requests go. */
export interface Destination {
  readonly host: string;
  readonly port: number;
  /** For callers that speak TLS: the name they expect in the certificate, and the CAs (PEM) they trust. */
  readonly tls?: { readonly name: string; readonly ca: readonly string[] };
}

/** What a caller knows in the end. */
export interface Outcome {
  readonly saw: Sight;
  readonly detail: string;
}

/** Callers give up after this time; no fault allows nearly as much. */
const PATIENCE_MS = 20_000;
/** The two texts of the server's 503. */
const SENTENCES: readonly (readonly [Sight, RegExp])[] = [
  ["503 nobody", /^kurun: nobody is connected to session /],
  ["503 lost", /was lost before it answered; the request may have been delivered$/m],
];

/** A connection of an HTTP/1.1 caller, for one request at a time. */
export class HttpCaller {
  readonly #socket: Socket;
  readonly #host: string;
  /** The id that is asked for. */
  #expected = "";
  #got = "";
  #connected = false;
  #over = false;
  #waiting: ((outcome: Outcome) => void) | undefined;

  constructor({ host, port, tls }: Destination) {
    this.#host = tls?.name ?? host;
    const socket: Socket = tls ? connectTls({ host, port, servername: tls.name, ca: [...tls.ca] }) : connect({ host, port, noDelay: true });
    this.#socket = socket;
    socket.on(tls ? "secureConnect" : "connect", () => this.#connected = true);
    socket.on("data", (bytes: Uint8Array) => {
      this.#got += new TextDecoder().decode(bytes);
      const outcome = answerIn(this.#got, this.#expected);
      if (outcome) this.#settle(outcome);
    });
    socket.on("end", () => this.#end({ saw: this.#got === "" ? "ended" : "cut", detail: `ended behind ${JSON.stringify(this.#got)}` }));
    socket.on("error", (error: NodeJS.ErrnoException) => this.#end({ saw: this.#broken(error), detail: `${error.code ?? error.message}` }));
    socket.on("close", () => this.#end({ saw: "reset", detail: "closed" }));
  }

  /** Whether it has ended. */
  get over(): boolean {
    return this.#over;
  }

  /** Whether it can take another request. */
  get free(): boolean {
    return !this.#over && this.#waiting === undefined;
  }

  /** Asks for `/ID?ms=…`, whose answer is the id. @param keep whether another request may follow */
  ask(id: string, delayMs: number, keep: boolean): Promise<Outcome> {
    this.#got = "";
    this.#expected = id;
    const answered = new Promise<Outcome>((resolve) => this.#waiting = resolve);
    const late = setTimeout(() => this.#end({ saw: "no answer", detail: `nothing for ${PATIENCE_MS / 1000} s` }), PATIENCE_MS);
    const end = keep ? "" : "Connection: close\r\n";
    this.#socket.write(`GET /${id}?ms=${delayMs} HTTP/1.1\r\nHost: ${this.#host}\r\n${end}\r\n`);
    return answered.finally(() => {
      clearTimeout(late);
      if (!keep) this.close();
    });
  }

  /** Drops the connection. */
  close(): void {
    this.#over = true;
    this.#socket.destroy();
  }

  #broken({ code }: NodeJS.ErrnoException): Sight {
    if (this.#got !== "") return "cut";
    if (code === "ECONNREFUSED") return "refused";
    return !this.#connected && (code === "EHOSTUNREACH" || code === "ENETUNREACH" || code === "ETIMEDOUT") ? "unreachable" : "reset";
  }

  #end(outcome: Outcome): void {
    this.#over = true;
    this.#settle(outcome);
    this.#socket.destroy();
  }

  #settle(outcome: Outcome): void {
    if (/\r\nconnection: close\r\n/i.test(this.#got)) this.#over = true;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.(outcome);
  }
}

/** The text of a complete answer; undefined if more is to come. */
function answerIn(got: string, id: string): Outcome | undefined {
  const headEnd = got.indexOf("\r\n\r\n");
  if (headEnd < 0) return undefined;
  const head = got.slice(0, headEnd);
  const body = got.slice(headEnd + 4);
  const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1]);
  if (body.length < length) return undefined;
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1]);
  if (status === 200 && body === id) return { saw: "answered", detail: "" };
  const detail = `${status} ${body.trim()}`;
  if (status === 502) return { saw: "502", detail };
  const known = status === 503 ? SENTENCES.find(([, pattern]) => pattern.test(body)) : undefined;
  return { saw: known?.[0] ?? "wrong answer", detail };
}
