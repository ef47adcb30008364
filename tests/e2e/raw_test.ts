/** Traffic that is not HTTP: raw bytes, and TLS that kurun does not terminate. */
import assert from "node:assert/strict";
import { certificateAuthority } from "../certificate_authority.ts";
import { TlsServer } from "../tls_server.ts";
import { KurunProcess } from "./kurun_process.ts";
import { clusterTest } from "./kubernetes.ts";
import { callRaw, serveRaw } from "./raw_http.ts";

for (const scheme of ["tcp", "http"]) {
  clusterTest(
    `over ${scheme}:// a server may speak first, and either side may end first`,
    async (namespace) => {
      await using upstream = await serveRaw(async (connection) => {
        connection.send("220 mail.test ready\r\n");
        await connection.waitFor(/EHLO caller\r\n$/);
        connection.send("250 hello\r\n");
        await connection.waitFor(/(DATA|QUIT)\r\n$/);
        if (connection.got.endsWith("QUIT\r\n")) {
          connection.send("221 bye\r\n");
          return connection.close();
        }
        await connection.waitForEnd();
        connection.send("250 had it all\r\n");
        connection.close();
      });
      const args = ["port-forward", upstream.url.replace("http", scheme), "-n", namespace.name, "-v"];
      await using kurun = await KurunProcess.start(args).ready();
      const address = await namespace.address();
      for (const [last, answer] of [["QUIT", "221 bye"], ["DATA", "250 had it all"]] as const) {
        await using caller = callRaw(address);
        await caller.waitFor(/^220 mail\.test ready\r\n$/);
        caller.send("EHLO caller\r\n");
        await caller.waitFor(/250 hello\r\n$/);
        caller.send(`${last}\r\n`);
        if (last === "DATA") caller.close();
        assert.equal(await caller.waitForEnd(), `220 mail.test ready\r\n250 hello\r\n${answer}\r\n`);
        assert.equal(caller.end, "ended");
        caller.close();
      }
      if (scheme === "tcp") {
        await kurun.waitFor(/^\S+ tcp - - 41B \d+(\.\d)?ms \d+\.\d+\.\d+\.\d+:\d+ 19B in$/m);
        await kurun.waitFor(/^\S+ tcp - - 48B \d+(\.\d)?ms \d+\.\d+\.\d+\.\d+:\d+ 19B in$/m);
      } else {
        await kurun.waitFor(/^(\S+: no more lines for this connection: it ended within a head\n){2}/m);
      }
    },
  );
}

clusterTest("over tcp:// a reset by either end is a reset for the other, never a clean end, and -v says whose", async (namespace) => {
  const [arrived, left] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  await using upstream = await serveRaw(async (connection) => {
    connection.send("220 ready\r\n");
    await connection.waitFor(/\n$/);
    if (connection.got === "break\n") return connection.reset();
    arrived.resolve();
    await connection.waitForEnd();
    left.resolve();
  });
  await using kurun = await KurunProcess.start(["port-forward", upstream.url.replace("http", "tcp"), "-n", namespace.name, "-v"]).ready();
  const address = await namespace.address();
  await using broken = callRaw(address);
  await broken.waitFor(/ready/);
  broken.send("break\n");
  await broken.waitForEnd();
  assert.equal(broken.end, "reset");
  await kurun.waitFor(/^\S+ tcp - - 11B \S+ \S+ 6B in, reset$/m);
  const leaving = callRaw(address);
  await leaving.waitFor(/ready/);
  leaving.send("leave\n");
  await arrived.promise;
  leaving.reset();
  await left.promise;
  await kurun.waitFor(/^\S+ tcp - - 11B \S+ \S+ 6B in, caller left$/m);
});

clusterTest("-v prints one line for a tls:// connection, and nothing of its contents", async (namespace) => {
  const now = new Date();
  const authority = await certificateAuthority({ commonName: "a test's", days: 1, now });
  const name = `kurun.${namespace.name}.svc`;
  await using server = await TlsServer.listen({ certificate: await authority.issue({ names: [name], days: 1, now }) });
  const args = ["port-forward", `tls://localhost:${server.port}`, "-n", namespace.name, "--serviceport", "443", "-v"];
  await using kurun = await KurunProcess.start(args).ready();
  using client = Deno.createHttpClient({ caCerts: [authority.certPem], poolMaxIdlePerHost: 0 });
  for (const path of ["/one", "/two"]) {
    assert.equal((await (await fetch(`https://${name}${path}`, { client, headers: { connection: "close" } })).json()).url, path);
  }
  await kurun.waitFor(/^(\S+ tls - - \d+(\.\d)?k?B \S+ \d+\.\d+\.\d+\.\d+:\d+ \d+(\.\d)?k?B in\n){2}$/m);
  assert.doesNotMatch(kurun.stderr, /one|two|GET|\b200\b/);
});
