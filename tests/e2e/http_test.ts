import assert from "node:assert/strict";
import { KurunProcess } from "./kurun_process.ts";
import { clusterTest, kubectl, logOf, type TestNamespace } from "./kubernetes.ts";
import { callRaw, type RawConnection, serveRaw } from "./raw_http.ts";
import { serveHttp, type Upstream } from "./upstreams.ts";

const HOST = "Host: kurun\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** Starts kurun port-forward for an upstream and waits until it forwards. */
async function forward(upstream: Upstream, namespace: TestNamespace, args: string[] = [], path = ""): Promise<KurunProcess> {
  return await KurunProcess.start(["port-forward", `${upstream.url}${path}`, "-n", namespace.name, ...args]).ready();
}

/** Answers each request of a connection as `answer` says. */
function answering(answer: (head: string) => string): (connection: RawConnection) => Promise<void> {
  return async (connection) => {
    for (let answered = 0;;) {
      const heads = [...connection.got.matchAll(/[A-Z]+ \S+ HTTP\/1\.1\r\n(?:[^\r]+\r\n)*\r\n/g)];
      for (; answered < heads.length; answered++) connection.send(answer(heads[answered]![0]));
      if (connection.end !== "open") return connection.close();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
}

clusterTest("keep-alive, pipelining, HEAD, 204, 304 and 1xx pass unchanged, and -v has a line for each request", async (namespace) => {
  await using upstream = await serveRaw(answering((head) => {
    if (head.startsWith("HEAD")) return "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    if (head.includes("/204")) return "HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n";
    if (head.includes("/304")) return 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: "e"\r\n\r\n';
    if (head.includes("/103")) return `HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n${OK}`;
    return OK;
  }));
  await using kurun = await forward(upstream, namespace, ["-v"]);
  await using caller = callRaw(await namespace.address());
  caller.send(`GET /first?token=abc&b=c HTTP/1.1\r\n${HOST}Authorization: Bearer hidden\r\n\r\n`);
  await caller.waitFor(/ok$/);
  const pipelined = ["GET /second", "HEAD /head", "GET /204", "GET /304", "GET /103", "GET /last"];
  caller.send(pipelined.map((line) => `${line} HTTP/1.1\r\n${HOST}\r\n`).join(""));
  const got = await caller.waitFor(
    /Link: a\r\n\r\nHTTP\/1\.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP\/1\.1 200 OK\r\nContent-Length: 2\r\n\r\nok$/,
  );
  assert.equal(
    got,
    `${OK}${OK}HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n` +
      `HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: "e"\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n${OK}${OK}`,
  );
  await kurun.waitFor(/GET \/last 200 .*\n/);
  const lines = kurun.stderr.split("\n").filter((line) => /^\S+ (GET|HEAD) /.test(line));
  const shown = lines.map((line) => line.replace(/^\d\d:\d\d:\d\d (.*) \d+(\.\d)?ms \S+:\d+$/, "$1 MS CALLER"));
  assert.deepEqual(shown, [
    "GET /first?token=…&b=c 200 2B MS CALLER",
    "GET /second 200 2B MS CALLER",
    "HEAD /head 200 0B MS CALLER",
    "GET /204 204 0B MS CALLER",
    "GET /304 304 0B MS CALLER",
    "GET /103 200 2B MS CALLER",
    "GET /last 200 2B MS CALLER",
  ]);
  assert.doesNotMatch(kurun.stderr, /abc|hidden/);
});

clusterTest("chunks, their extensions and trailers pass unchanged in both directions, also through a rewriter", async (namespace) => {
  const body = '3;ext="a b"\r\nabc\r\n00A\r\n0123456789\r\n0\r\nX-Sum: 13\r\n\r\n';
  const answer = `HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\ntransfer-encoding: chunked\r\n\r\n${body}`;
  const seen: string[] = [];
  await using upstream = await serveRaw(async (connection) => {
    seen.push(await connection.waitFor(/X-Sum: 13\r\n\r\n$/));
    for (let at = 0; at < answer.length; at += 7) connection.send(answer.slice(at, at + 7));
  });
  for (const [path, host] of [["", "kurun"], ["/api", "app.example.com"]] as const) {
    await using kurun = await forward(upstream, namespace, ["-v", ...(path ? ["--host-header", host] : [])], path);
    await using caller = callRaw(await namespace.address());
    const request = (target: string, name: string) =>
      `POST ${target} HTTP/1.1\r\nhost: ${name}\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n${body}`;
    const sent = request("/a", "kurun");
    for (let at = 0; at < sent.length; at += 11) caller.send(sent.slice(at, at + 11));
    assert.equal(await caller.waitFor(/X-Sum: 13\r\n\r\n$/), answer);
    assert.equal(seen.pop(), request(`${path}/a`, host));
    await kurun.waitFor(/^\S+ POST \/a 200 13B /m);
  }
});

clusterTest(
  "Expect: 100-continue is left to the program, and bodies flow both ways at the same time, also through a rewriter",
  async (namespace) => {
    await using upstream = await serveRaw(async (connection) => {
      await connection.waitFor(/\r\n\r\n$/);
      connection.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n");
      for (const letter of "abc") {
        await connection.waitFor(new RegExp(`${letter}$`));
        connection.send(`${letter}.`);
      }
    });
    await using kurun = await forward(upstream, namespace, ["-v"], "/duplex");
    await using caller = callRaw(await namespace.address());
    caller.send(`POST / HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nContent-Length: 3\r\n\r\n`);
    await caller.waitFor(/100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\nContent-Length: 6\r\n\r\n$/);
    for (const letter of "abc") {
      caller.send(letter);
      await caller.waitFor(new RegExp(`${letter}\\.$`));
    }
    await kurun.waitFor(/^\S+ POST \/ 200 6B /m);
  },
);

clusterTest("a compressed body arrives as it was sent, and WebSockets work behind a path", async (namespace) => {
  const packed = new Uint8Array(
    await new Response(new Blob(["a".repeat(10_000)]).stream().pipeThrough(new CompressionStream("gzip"))).arrayBuffer(),
  );
  const paths: string[] = [];
  await using upstream = serveHttp((request) => {
    paths.push(new URL(request.url).pathname);
    if (request.headers.get("upgrade") !== "websocket") return new Response(packed, { headers: { "content-encoding": "gzip" } });
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onmessage = ({ data }) => socket.send(`${data} too`);
    return response;
  });
  await using kurun = await forward(upstream, namespace, ["-v"], "/base/");
  const address = await namespace.address();
  await using caller = callRaw(address);
  caller.send(`GET /packed HTTP/1.1\r\n${HOST}Accept-Encoding: gzip\r\nConnection: close\r\n\r\n`);
  const got = await caller.waitForEnd();
  assert.deepEqual(Uint8Array.from(got.slice(-packed.length), (character) => character.charCodeAt(0)), packed);
  const socket = new WebSocket(`ws://${address}/ws`);
  await new Promise((resolve) => socket.onopen = resolve);
  socket.send("me");
  const { data } = await new Promise<MessageEvent>((resolve) => socket.onmessage = resolve);
  assert.equal(data, "me too");
  socket.close();
  assert.deepEqual(paths, ["/base/packed", "/base/ws"]);
  await kurun.waitFor(/^\S+ GET \/ws 101 0B /m);
  await kurun.waitFor(/^\S+ upgraded - - \d+B \S+ \S+ \d+B in/m);
});

clusterTest(
  "a path and --host-header reach the program, and what could smuggle a request is refused with 400 before it",
  async (namespace) => {
    const seen: string[] = [];
    await using upstream = serveHttp((request) => {
      seen.push(`${new URL(request.url).pathname} ${request.headers.get("host")}`);
      return new Response("ok");
    });
    await using kurun = await forward(upstream, namespace, ["--host-header", "app.example.com"], "/api");
    assert.match(kurun.stdout, /-> http:\/\/localhost:\d+\/api$/m);
    const address = await namespace.address();
    assert.equal(await (await fetch(`http://${address}/v1/things?a=b`)).text(), "ok");
    assert.deepEqual(seen, ["/api/v1/things app.example.com"]);
    const smuggled = "GET /admin HTTP/1.1\r\nHost: kurun\r\n\r\n";
    for (
      const request of [
        `POST / HTTP/1.1\r\n${HOST}Content-Length: ${smuggled.length + 5}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
        `POST / HTTP/1.1\r\n${HOST}Content-Length: 0\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
        `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${smuggled}`,
        `GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n`,
        `GET / HTTP/1.1\n${HOST}\n\n`,
      ]
    ) {
      await using caller = callRaw(address);
      caller.send(request);
      assert.match(await caller.waitForEnd(), /^HTTP\/1\.1 400 Bad Request\r\n[^]*kurun: this request cannot be passed on: [^\n]+\n$/);
    }
    assert.equal(seen.length, 1);
  },
);

clusterTest("-v says why a request got no answer, and the Pod logs a line for each connection", async (namespace) => {
  const arrived = Promise.withResolvers<void>();
  let half: RawConnection | undefined;
  await using upstream = await serveRaw(async (connection) => {
    const got = await connection.waitFor(/\r\n\r\n$/);
    if (got.includes("/closed")) connection.close();
    if (got.includes("/broken")) connection.reset();
    if (got.includes("/half")) (half = connection).send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
    if (got.includes("/left")) arrived.resolve();
  });
  await using kurun = await forward(upstream, namespace, ["-v"]);
  const address = await namespace.address();
  for (const path of ["/closed", "/broken", "/half"]) {
    await using caller = callRaw(address);
    caller.send(`GET ${path} HTTP/1.1\r\n${HOST}\r\n`);
    if (path === "/half") {
      // A reset overtakes what was just sent.
      await caller.waitFor(/half$/);
      half?.reset();
    }
    await caller.waitForEnd();
  }
  const leaving = callRaw(address);
  leaving.send(`GET /left HTTP/1.1\r\n${HOST}\r\n`);
  await arrived.promise;
  leaving.reset();
  await using odd = callRaw(address);
  odd.send("\x00\x01 no HTTP");
  await kurun.waitFor(/^\S+ GET \/closed - 0B \S+ \S+ closed without an answer$/m);
  await kurun.waitFor(/^\S+ GET \/broken - 0B \S+ \S+ (reset|closed without an answer)$/m);
  await kurun.waitFor(/^\S+ GET \/half 200 4B \S+ \S+ cut short: /m);
  await kurun.waitFor(/^\S+ GET \/left - 0B \S+ \S+ caller left$/m);
  await kurun.waitFor(/^\S+: no more lines for this connection: it does not begin like HTTP$/m);
  const pod = (await kubectl(["get", "pods", "-n", namespace.name, "-o", "name"])).trim();
  await logOf(namespace, pod, /caller=\d+\.\d+\.\d+\.\d+:\d+ port=8444 alpn=- in=\d+ out=\d+ ms=\d+\.\d end=\S+/);
});

clusterTest("-v shows the 502 for a program that does not listen, with the reason", async (namespace) => {
  await using kurun = await KurunProcess.start(["port-forward", "http://localhost:9", "-n", namespace.name, "-v"]).ready();
  assert.equal((await fetch(`http://${await namespace.address()}/a`, { method: "POST", body: "x" })).status, 502);
  await kurun.waitFor(/^\S+ POST \/a 502 0B \S+ \S+ refused: http:\/\/localhost:9 refused the connection: is the program running\?$/m);
});
