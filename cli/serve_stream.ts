import { encodeAccepted, encodeRefused, type Preamble, readPreamble, relay, type Stream } from "../tunnel/mod.ts";
import { dialUpstream, type Upstream } from "./upstream.ts";

/** Serves one caller: connects the program here and joins the two until both have ended. Never throws. */
export async function serveStream(stream: Stream, upstream: Upstream, failed: (caller: Preamble, why: string) => void): Promise<void> {
  let caller: { preamble: Preamble; rest: Uint8Array };
  try {
    caller = await readPreamble(stream);
  } catch {
    return stream.reset();
  }
  try {
    const connection = await dialUpstream(upstream);
    await stream.write(encodeAccepted());
    await relay(stream, connection, caller.rest);
  } catch (error) {
    const why = (error as Error).message;
    failed(caller.preamble, why);
    await refuse(stream, why);
  }
}

/** Says why, then takes what still comes until the other side has read it: a reset would overtake nothing, but drop what waits there. */
async function refuse(stream: Stream, why: string): Promise<void> {
  try {
    await stream.write(encodeRefused(why));
    stream.closeWrite();
    while (await stream.read() !== null);
  } catch {
    // The other side has gone or has reset the stream: it knows, or cannot be told.
  }
}
