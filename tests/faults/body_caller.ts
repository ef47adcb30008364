import { connect } from "node:net";

/** How a body ended: complete by its own framing, broken by a reset, or cut short as if it were complete, which deceives the caller. */
export type BodyOutcome = "whole" | "reset" | "ended early" | "no end";

const PATIENCE_MS = 20_000;
/** The last chunk (RFC 9112, 7.1). */
const LAST_CHUNK = "0\r\n\r\n";

/** Asks the recording upstream for a body of `pieces` pieces and reads it to its end. */
export function readBody(host: string, id: string, pieces: number): Promise<BodyOutcome> {
  return new Promise((resolve) => {
    const socket = connect({ host, port: 80, noDelay: true });
    let tail = "";
    const late = setTimeout(() => end("no end"), PATIENCE_MS);
    const end = (outcome: BodyOutcome) => {
      clearTimeout(late);
      socket.destroy();
      resolve(outcome);
    };
    socket.on("data", (bytes: Uint8Array) => {
      tail = (tail + String.fromCharCode(...bytes.subarray(-8))).slice(-8);
      if (tail.endsWith(LAST_CHUNK)) end("whole");
    });
    socket.on("end", () => end("ended early"));
    socket.on("error", () => end("reset"));
    socket.write(`GET /body/${id}?pieces=${pieces} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  });
}
