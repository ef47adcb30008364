import { type Connection, readAnswer, relay, type RelayEnd, type Stream } from "../../tunnel/mod.ts";
import { within } from "../net/timing.ts";

/**
 * How long a client may take to say whether it has reached the program, in milliseconds. Its own limits are 10 s for each address of a
 * name and 10 s for TLS (cli/port_forward/upstream.ts): it says so itself unless it hangs.
 */
const DIAL_MS = 35_000;
/** A refused caller's first bytes are waited for this many milliseconds, because the client reports them with the refusal. */
const ASK_MS = 200;

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
  let dialed = false;
  const asked = Promise.withResolvers<void>();
  /** Reads whether there is an upstream, and then the first bytes. */
  const first = async () => {
    let answer = await within(dialMs, readAnswer(stream));
    // A program that is stopped in a debugger is waited for as long as its caller stays.
    while (answer?.waiting) answer = await readAnswer(stream, answer.rest);
    if (!answer) throw new DialTimeoutError(`kurun port-forward did not report within ${dialMs / 1000} s whether it reached the program`);
    if (answer.refused !== undefined) {
      // A program that does not listen can refuse sooner than its caller's request arrives.
      await within(ASK_MS, asked.promise);
      throw new RefusedError(answer.refused);
    }
    dialed = true;
    return answer.rest.length > 0 ? answer.rest : await stream.read();
  };
  return relay(caller, {
    read: () => dialed ? stream.read() : first(),
    readSmall: (take) => dialed ? stream.readSmall(take) : first(),
    write: (bytes) => {
      asked.resolve();
      return stream.write(bytes);
    },
    writeSmall: (bytes) => {
      asked.resolve();
      return stream.writeSmall(bytes);
    },
    closeWrite: () => stream.closeWrite(),
    reset: () => stream.reset(),
    onFailure: (listener) => stream.onFailure(listener),
  });
}
