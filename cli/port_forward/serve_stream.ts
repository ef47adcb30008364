import { type Connection, encodeAccepted, encodeRefused, encodeWaiting, readPreamble, relay, type Stream } from "../../tunnel/mod.ts";
import type { Rewrite } from "./rewrite_head.ts";
import { RewritingConnection } from "./rewriting_connection.ts";
import { dialUpstream } from "./upstream.ts";
import { CallerWatch, watchFailedHandshake, type WatchOptions } from "./watch_caller.ts";

/** Options of {@link serveStream}. */
export interface ServeOptions extends WatchOptions {
  /** Changes to each request's head, if any. */
  readonly rewrite?: Rewrite | undefined;
}

/** Serves one caller: connects to the program on this machine and joins the two until both have ended. Never rejects. */
export async function serveStream(stream: Stream, options: ServeOptions): Promise<void> {
  const caller = await readPreamble(stream).catch(() => undefined);
  if (!caller) return stream.reset();
  const { preamble: { from, alpn, failed }, rest } = caller;
  if (failed !== undefined) {
    watchFailedHandshake(options, from, failed);
    return stream.closeWrite();
  }
  const watch = new CallerWatch(options, caller.preamble);
  const left = new AbortController();
  stream.onFailure((error) => left.abort(error));
  stream.onPeerEnd(() => watch.callerEnded());
  const slow = () => {
    watch.slow();
    // A caller that has left ends the dial, too.
    Promise.resolve(stream.write(encodeWaiting())).catch(() => {});
  };
  let program: Connection;
  try {
    program = await dialUpstream(options.upstream, { alpn, signal: left.signal, slow });
    watch.dialed();
  } catch (error) {
    if (left.signal.aborted) return watch.ended({ error: left.signal.reason });
    watch.dialed();
    return await refuse(stream, (error as Error).message, watch, rest);
  }
  try {
    await stream.write(encodeAccepted());
  } catch (error) {
    // The caller left while the program was being connected.
    program.reset();
    return watch.ended({ error: error as Error });
  }
  if (options.rewrite) program = new RewritingConnection(program, options.rewrite);
  watch.ended(await relay(stream, program, rest, watch));
}

/** Says why, and then reads until the other side ends: a reset would discard a reason that it has not read yet. */
async function refuse(stream: Stream, why: string, watch: CallerWatch, first: Uint8Array): Promise<void> {
  try {
    watch.forth(first);
    await stream.write(encodeRefused(why));
    stream.closeWrite();
    for (let bytes = await stream.read(); bytes !== null; bytes = await stream.read()) watch.forth(bytes);
  } catch {
    // The other side has gone or has reset the stream: it knows, or cannot be told.
  }
  watch.refused(why);
}
