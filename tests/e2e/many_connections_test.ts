import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { findProcess, KurunProcess, peakMemory } from "./kurun_process.ts";
import { clusterTest, kubectl, type TestNamespace } from "./kubernetes.ts";
import { callRaw, connectTo, type RawConnection } from "./raw_http.ts";
import { serveHttp, zeros } from "./upstreams.ts";

const CONNECTIONS = 1_000;
const STOPPED = 500;
/** More than a window and the sockets between Pod and caller hold, but no more than that: full TCP buffers slow down the whole machine. */
const BIG = 2_500_000;
/** A busy machine needs a while to begin 500 answers. */
const PATIENCE_MS = 30_000;
const MIB = 1024 * 1024;
/** The Pod's limit is 256 MiB; 500 readers would be sent 1.25 GB. Here 262 to 326 MiB were measured, depending on the machine. */
const STOPPED_LIMITS = { here: 400 * MIB, there: 256 * MIB };

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: kurun\r\n\r\n`;

clusterTest("1,000 concurrent connections each get their own answer, all before any is closed", async (namespace) => {
  let arrived = 0;
  let all = Promise.withResolvers<void>();
  await using upstream = serveHttp(async (request) => {
    if (++arrived === CONNECTIONS) all.resolve();
    await all.promise;
    return new Response(`answer to ${new URL(request.url).pathname}.`);
  });
  await using kurun = await KurunProcess.start(["port-forward", upstream.url, "-n", namespace.name]).ready();
  const address = await namespace.address();
  const callers = Array.from({ length: CONNECTIONS }, () => callRaw(address));
  try {
    for (const round of ["first", "second"]) {
      arrived = 0;
      all = Promise.withResolvers();
      callers.forEach((caller, i) => caller.send(get(`/${round}/${i}`)));
      await Promise.all(callers.map((caller, i) => caller.waitFor(new RegExp(`answer to /${round}/${i}\\.$`))));
      assert.equal(arrived, CONNECTIONS);
    }
  } finally {
    all.resolve();
    for (const caller of callers) await caller[Symbol.asyncDispose]();
  }
  await memoryIsBounded(kurun, namespace, { here: 200 * MIB, there: 200 * MIB });
});

clusterTest("500 callers that stop reading delay nobody, and the memory of both ends is bounded", async (namespace) => {
  await using upstream = serveHttp((request) => new Response(request.url.endsWith("/big") ? zeros(BIG) : "small"));
  await using kurun = await KurunProcess.start(["port-forward", upstream.url, "-n", namespace.name]).ready();
  const address = await namespace.address();
  const stopped = Array.from({ length: STOPPED }, () => connectTo(address));
  try {
    await Promise.all(stopped.map(startAndStop));
    for (let round = 0; round < 5; round++) {
      const others: RawConnection[] = Array.from({ length: 50 }, () => callRaw(address));
      for (const other of others) other.send(get("/small"));
      for (const other of others) await other.waitFor(/small$/);
      for (const other of others) await other[Symbol.asyncDispose]();
    }
    assert.ok(await rest(stopped.pop() as Socket) > BIG - 1_000_000, "one that reads again gets what is left");
    await memoryIsBounded(kurun, namespace, STOPPED_LIMITS);
  } finally {
    for (const socket of stopped) socket.destroy();
  }
});

/** Requests a large body, and stops reading after its first bytes. */
function startAndStop(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.on("error", reject).setTimeout(PATIENCE_MS, () => reject(new Error("no answer in 30 s")));
    socket.once("data", () => {
      socket.pause();
      resolve();
    });
    socket.write("GET /big HTTP/1.1\r\nHost: kurun\r\nConnection: close\r\n\r\n");
  });
}

/** Reads to the end. @returns the number of bytes */
function rest(socket: Socket): Promise<number> {
  return new Promise((resolve, reject) => {
    let bytes = 0;
    socket.on("data", (data: Uint8Array) => bytes += data.length).once("end", () => resolve(bytes)).once("error", reject);
    socket.setTimeout(PATIENCE_MS, () => reject(new Error(`nothing for 30 s after ${bytes} bytes`)));
    socket.resume();
  });
}

async function memoryIsBounded(kurun: KurunProcess, { name }: TestNamespace, limits: { here: number; there: number }): Promise<void> {
  const session = await kubectl(["get", "jobs", "-n", name, "-o", "jsonpath={.items[0].metadata.name}"]);
  const peaks = { here: await peakMemory(kurun.pid), there: await peakMemory(await findProcess("server.js", session)) };
  assert.ok(peaks.here <= limits.here && peaks.there <= limits.there, JSON.stringify(peaks));
}
