/**
 * A TCP relay that passes everything on after a delay, in both directions, without limiting the rate:
 * `deno run -A delay_relay.ts MILLISECONDS PORT HOST PORT`. The kernel's netem does this better where it is available.
 *
 * @module
 */

/** Like a real link it holds a limited number of bytes each way; this is 6.4 Gbit/s at 20 ms. */
const MAX_HELD_BYTES = 16 * 1024 * 1024;

/** Copies until the end; each piece is written `delayMs` after it was read. */
async function delayed(from: Deno.Conn, to: Deno.Conn, delayMs: number): Promise<void> {
  const held: { due: number; bytes: Uint8Array<ArrayBuffer> | null }[] = [];
  let heldBytes = 0;
  let changed = Promise.withResolvers<void>();
  const change = () => {
    changed.resolve();
    changed = Promise.withResolvers();
  };
  const read = async () => {
    const buffer = new Uint8Array(256 * 1024);
    for (;;) {
      const count = await from.read(buffer);
      held.push({ due: performance.now() + delayMs, bytes: count === null ? null : buffer.slice(0, count) });
      heldBytes += count ?? 0;
      change();
      if (count === null) return;
      while (heldBytes > MAX_HELD_BYTES) await changed.promise;
    }
  };
  const write = async () => {
    for (;;) {
      const next = held[0];
      if (next === undefined) {
        await changed.promise;
        continue;
      }
      // Timers are up to a millisecond late; rounding down keeps that from becoming two.
      const wait = next.due - performance.now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, Math.floor(wait)));
      if (next.bytes === null) return await to.closeWrite();
      for (let sent = 0; sent < next.bytes.length;) sent += await to.write(next.bytes.subarray(sent));
      held.shift();
      heldBytes -= next.bytes.length;
      change();
    }
  };
  await Promise.all([read(), write()]);
}

async function relay(caller: Deno.TcpConn, target: Deno.ConnectOptions, delayMs: number): Promise<void> {
  using _caller = caller;
  using callee = await Deno.connect(target);
  caller.setNoDelay();
  callee.setNoDelay();
  await Promise.all([delayed(caller, callee, delayMs), delayed(callee, caller, delayMs)]);
}

const [delayMs, port, hostname, targetPort] = Deno.args as [string, string, string, string];
for await (const caller of Deno.listen({ hostname: "127.0.0.1", port: Number(port) })) {
  // A connection was reset; the measurement notices by itself.
  relay(caller, { hostname, port: Number(targetPort) }, Number(delayMs)).catch(() => {});
}
