import {
  type Connection,
  encodeAccepted,
  encodeRefused,
  encodeWaiting,
  type Preamble,
  readPreamble,
  relay,
  type Stream,
} from "../../tunnel/mod.ts";
import type { Rewrite } from "./rewrite_head.ts";
import { RewritingConnection } from "./rewriting_connection.ts";
import { dialUpstream } from "./upstream.ts";
import type { Upstream } from "./upstream_url.ts";
import { CallerWatch, watchFailedHandshake, type WatchOptions } from "./watch_caller.ts";

/** How {@link serveStream} serves. */
export interface ServeOptions {
  readonly upstream: Upstream;
  /** What changes in each request's head; absent where nothing does. */
  readonly rewrite?: Rewrite | undefined;
  readonly watch: WatchOptions;
}

/** Serves one caller: connects the program here and joins the two until both have ended. Never rejects. */
export async function serveStream(stream: Stream, options: ServeOptions): Promise<void> {
  let caller: { preamble: Preamble; rest: Uint8Array };
  try {
    caller = await readPreamble(stream);
  } catch {
    return stream.reset();
  }
  const { from, alpn, failed } = caller.preamble;
  if (failed !== undefined) {
    watchFailedHandshake(options.watch, from, failed);
    return stream.closeWrite();
  }
  const watch = new CallerWatch(options.watch, caller.preamble, options.upstream);
  const left = new AbortController();
  stream.onFailure((error) => left.abort(error));
  let program: Connection;
  try {
    program = await dialUpstream(options.upstream, {
      alpn,
      signal: left.signal,
      slow: () => stillWaiting(stream, watch, options),
    });
    watch.dialed();
  } catch (error) {
    if (left.signal.aborted) return watch.ended({ forth: 0, back: 0, error: left.signal.reason });
    watch.dialed();
    return await refuse(stream, (error as Error).message, watch, caller.rest);
  }
  try {
    await stream.write(encodeAccepted());
  } catch (error) {
    // The caller left while the program was being connected.
    program.reset();
    return watch.ended({ forth: 0, back: 0, error: error as Error });
  }
  if (options.rewrite) program = new RewritingConnection(program, options.rewrite);
  watch.ended(await relay(stream, program, caller.rest, watch));
}

function stillWaiting(stream: Stream, watch: CallerWatch, { upstream }: ServeOptions): void {
  watch.slow(upstream.url);
  // A caller that has left ends the dial, too.
  Promise.resolve(stream.write(encodeWaiting())).catch(() => {});
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
