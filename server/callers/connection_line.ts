import { type Preamble, type RelayEnd, SessionEndedError, StreamLimitError, StreamResetError } from "../../tunnel/mod.ts";
import { NobodyConnectedError } from "./caller.ts";
import { DialTimeoutError, RefusedError } from "./dialed_stream.ts";

/**
 * The log line of one caller's connection, with `--verbose`:
 *
 *     caller=10.244.0.1:52069 port=8444 alpn=- in=312 out=1204 ms=3.4 end=closed
 *
 * The server reports connections and not requests: everybody in the cluster can send it bytes, and whatever can be read in two ways
 * (request smuggling) fools only a program that acts on what it read. Requests are reported on the client's side.
 *
 * @param end `forth` counts bytes from the caller, `back` bytes to it, without the server's own answers (502, 503)
 * @param ms from the connection's first moment to its end
 */
export function connectionLine({ from, port, alpn }: Preamble, end: RelayEnd, ms: number): string {
  return `caller=${from} port=${port} alpn=${alpn ?? "-"} in=${end.forth} out=${end.back} ms=${ms.toFixed(1)} end=${howEnded(end.error)}`;
}

function howEnded(error: Error | undefined): string {
  if (!error) return "closed";
  if (error instanceof NobodyConnectedError) return "503 nobody connected";
  if (error instanceof RefusedError) return `502 ${error.message.replace(/\p{Cc}+/gu, " ")}`;
  if (error instanceof SessionEndedError) return "client lost";
  if (error instanceof StreamLimitError) return "503 too many callers";
  if (error instanceof DialTimeoutError) return "502 the client did not dial in time";
  if (error instanceof StreamResetError) return "reset by the client";
  return `caller left: ${error.message}`;
}
