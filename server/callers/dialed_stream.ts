import { type Connection, readAnswer, relay, type RelayEnd, type Stream } from "../../tunnel/mod.ts";
import { within } from "../net/timing.ts";

/**
 * How long a client may take to say whether it has reached the program, in milliseconds. Its own limits are 10 s for each address of a
 * name and 10 s for TLS (cli/port_forward/upstream.ts): it says so itself unless it hangs.
 */
const DIAL_MS = 35_000;

/** The other side of the tunnel could not connect the stream; the message says why. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
}

/** The other side of the tunnel has not said in time whether it could connect the stream. */
export class DialTimeoutError extends Error {
  override readonly name = "DialTimeoutError";
}

/**
 * Carries a caller over a stream whose preamble has been sent, until both directions have ended.
 * @param dialMs how long the answer to the preamble may take, in milliseconds
 */
export function carry(caller: Connection, stream: Stream, dialMs = DIAL_MS): Promise<RelayEnd> {
  return relay(caller, new DialedStream(stream, dialMs));
}

/** A stream that first reads whether there is an upstream. */
class DialedStream implements Connection {
  readonly #stream: Stream;
  readonly #dialMs: number;
  #dialed = false;

  constructor(stream: Stream, dialMs: number) {
    this.#stream = stream;
    this.#dialMs = dialMs;
  }

  read(): Promise<Uint8Array | null> {
    return this.#dialed ? this.#stream.read() : this.#first();
  }

  write(bytes: Uint8Array): void | Promise<void> {
    return this.#stream.write(bytes);
  }

  closeWrite(): void {
    this.#stream.closeWrite();
  }

  reset(): void {
    this.#stream.reset();
  }

  onFailure(listener: (error: Error) => void): void {
    this.#stream.onFailure(listener);
  }

  async #first(): Promise<Uint8Array | null> {
    let answer = await within(this.#dialMs, readAnswer(this.#stream));
    // A program that is stopped in a debugger is waited for as long as its caller stays.
    while (answer?.waiting) answer = await readAnswer(this.#stream, answer.rest);
    if (!answer) {
      throw new DialTimeoutError(`kurun port-forward did not report within ${this.#dialMs / 1000} s whether it reached the program`);
    }
    const { refused, rest } = answer;
    if (refused !== undefined) throw new RefusedError(refused);
    this.#dialed = true;
    return rest.length > 0 ? rest : await this.#stream.read();
  }
}
