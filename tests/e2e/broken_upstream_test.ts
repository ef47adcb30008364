/** Local programs that fail their callers, and callers that fail them. */
import assert from "node:assert/strict";
import { connect as connectHttp2 } from "node:http2";
import { KurunProcess } from "./kurun_process.ts";
import { clusterTest } from "./kubernetes.ts";
import { callRaw, type RawConnection, serveRaw } from "./raw_http.ts";

const LENGTH_100 = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n";
const CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: kurun\r\n\r\n`;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * How the program at each path treats a request, what its caller has received when the connection ends, and how it ends. A text is the
 * program's; it resets the connection once its caller has that text, since a reset overtakes what was just sent.
 */
const DEATHS: readonly { path: string; die: (connection: RawConnection) => void; got: RegExp | string; end: RawConnection["end"] }[] = [
  {
    path: "/closes-before",
    die: (connection) => connection.close(),
    got: /^HTTP\/1\.1 502 Bad Gateway\r\n[^]*\r\n\r\nkurun: the program closed the connection without an answer\n$/,
    end: "ended",
  },
  {
    path: "/breaks-before",
    die: (connection) => connection.reset(),
    got: /^HTTP\/1\.1 502 Bad Gateway\r\n[^]*\r\n\r\nkurun: the program reset the connection before it answered\n$/,
    end: "ended",
  },
  ...[
    { path: "/breaks-in-its-head", got: "HTTP/1.1 200 OK\r\nContent-Le" },
    { path: "/breaks-in-its-length", got: `${LENGTH_100}half` },
    { path: "/breaks-between-chunks", got: `${CHUNKED}4\r\nhalf\r\n` },
  ].map(({ path, got }) => ({ path, got, die: (connection: RawConnection) => connection.send(got), end: "reset" as const })),
];

for (const [way, path] of [["", ""], [" behind a rewriter", "/base"]] as const) {
  clusterTest(`a program${way} that dies before its answer is a 502, in the middle of it a reset, and others go on`, async (namespace) => {
    let dying: RawConnection | undefined;
    await using upstream = await serveRaw(async (connection) => {
      const got = await connection.waitFor(/\r\n\r\n$/);
      dying = connection;
      const death = DEATHS.find(({ path }) => got.includes(`${path} `));
      if (death) death.die(connection);
      else await answerOk(connection);
    });
    await using _kurun = await KurunProcess.start(["port-forward", `${upstream.url}${path}`, "-n", namespace.name]).ready();
    const address = await namespace.address();
    await using other = callRaw(address);
    other.send(get("/first"));
    await other.waitFor(/ok$/);
    for (const { path, got, end } of DEATHS) {
      await using caller = callRaw(address);
      caller.send(get(path));
      if (typeof got === "string") {
        await caller.waitFor(new RegExp(`${RegExp.escape(got)}$`));
        dying?.reset();
      }
      const all = await caller.waitForEnd();
      if (typeof got === "string") assert.equal(all, got, path);
      else assert.match(all, got, path);
      assert.equal(caller.end, end, path);
    }
    other.send(get("/second"));
    await other.waitFor(/ok[^]+ok$/);
  });
}

clusterTest(
  "a request over plain HTTP/2 to a program that does not run fails, and GOAWAY says why",
  async (namespace) => {
    const args = ["port-forward", "http://localhost:9", "-n", namespace.name, "--app-protocol", "h2", "-v"];
    await using kurun = await KurunProcess.start(args).ready();
    const session = connectHttp2(`http://${await namespace.address()}`);
    const goAway = new Promise((resolve) => session.once("goaway", (code, last, data) => resolve([code, last, String(data)])));
    session.on("error", () => {});
    const stream = session.request({ ":path": "/" });
    const got: unknown[] = [];
    stream.on("response", (headers) => got.push(headers)).on("data", (bytes) => got.push(bytes)).on("error", () => {});
    await new Promise((resolve) => stream.once("close", resolve));
    assert.deepEqual(got, []);
    const sentence = "kurun: http://localhost:9 refused the connection: is the program running?";
    assert.deepEqual(await goAway, [2, 0x7fff_ffff, sentence]);
    session.destroy();
    await kurun.waitFor(
      // The program may refuse before the caller has sent what shows its protocol.
      /^\S+ (h2|-) - 502 0B \S+ \S+ (\d+B in, )?refused: http:\/\/localhost:9 refused the connection: is the program running\?$/m,
    );
  },
);

clusterTest("a program that hangs delays only its own caller, and is told when that caller leaves", async (namespace) => {
  const hanging: RawConnection[] = [];
  await using upstream = await serveRaw(async (connection) => {
    const got = await connection.waitFor(/\r\n\r\n/);
    if (!got.includes("/hang")) return await answerOk(connection);
    hanging.push(connection);
    if (got.includes("/hang-in-answer")) connection.send(`${LENGTH_100}half`);
  });
  await using kurun = await KurunProcess.start(["port-forward", upstream.url, "-n", namespace.name, "-v"]).ready();
  const address = await namespace.address();
  const uploading = "POST /hang-uploading HTTP/1.1\r\nHost: kurun\r\nContent-Length: 100\r\n\r\nhalf";
  const callers = [get("/hang-waiting"), get("/hang-in-answer"), uploading].map((request) => {
    const caller = callRaw(address);
    caller.send(request);
    return caller;
  });
  await callers[1]!.waitFor(/half$/);
  const until = performance.now() + 2_000;
  for (let i = 0; performance.now() < until; i++) {
    await using other = callRaw(address);
    other.send(get(`/other${i}`));
    await other.waitFor(/ok$/);
  }
  assert.deepEqual(callers.map(({ end }) => end), ["open", "open", "open"]);
  assert.deepEqual(hanging.map(({ end }) => end), ["open", "open", "open"]);
  for (const caller of callers) caller.reset();
  for (const connection of hanging) await connection.waitForEnd();
  await kurun.waitFor(/^\S+ GET \/hang-waiting - 0B \d+ms \S+ caller left$/m);
  await kurun.waitFor(/^\S+ GET \/hang-in-answer 200 4B \d+ms \S+ cut short: caller left$/m);
  await kurun.waitFor(/^\S+ POST \/hang-uploading - 0B \d+ms \S+ caller left$/m);
});

clusterTest("an answer that is not HTTP reaches its caller unchanged, also through a rewriter, and -v says so", async (namespace) => {
  const garbage = String.fromCharCode(...Array.from({ length: 2_000 }, (_, i) => (i * 97 + 1) & 255));
  await using upstream = await serveRaw(async (connection) => {
    await connection.waitFor(/\r\n\r\n$/);
    connection.send(garbage);
    connection.close();
  });
  for (const path of ["", "/base"]) {
    await using kurun = await KurunProcess.start(["port-forward", `${upstream.url}${path}`, "-n", namespace.name, "-v"]).ready();
    await using caller = callRaw(await namespace.address());
    caller.send(get("/"));
    assert.equal(await caller.waitForEnd(), garbage);
    assert.equal(caller.end, "ended");
    await kurun.waitFor(/^\S+: no more lines for this connection: it does not begin like HTTP$/m);
  }
});

clusterTest(
  "heads of 200 kB pass both ways; a rewriter refuses such a request with 400, and the program sees none of it",
  async (namespace) => {
    const long = `X-Long: ${"a".repeat(200_000)}\r\n`;
    const longAnswer = `HTTP/1.1 200 OK\r\n${long}Content-Length: 2\r\n\r\nok`;
    const seen: string[] = [];
    await using upstream = await serveRaw(async (connection) => {
      await connection.waitFor(/\r\n\r\n$/);
      seen.push(connection.got);
      connection.send(longAnswer);
    });
    for (const path of ["", "/base"]) {
      await using kurun = await KurunProcess.start(["port-forward", `${upstream.url}${path}`, "-n", namespace.name, "-v"]).ready();
      const address = await namespace.address();
      await using short = callRaw(address);
      short.send(get("/short"));
      assert.equal(await short.waitFor(/ok$/), longAnswer);
      assert.equal(seen.pop(), get(`${path}/short`));
      await using caller = callRaw(address);
      const request = `GET /long HTTP/1.1\r\nHost: kurun\r\n${long}\r\n`;
      caller.send(request);
      if (path === "") {
        assert.equal(await caller.waitFor(/ok$/), longAnswer);
        assert.equal(seen.pop(), request);
      } else {
        assert.match(
          await caller.waitForEnd(),
          /^HTTP\/1\.1 400 Bad Request\r\n[^]*\r\n\r\nkurun: this request cannot be passed on: the head is longer than 64 KiB\n$/,
        );
        assert.deepEqual(seen, []);
      }
      await kurun.waitFor(/^\S+: no more lines for this connection: the head is longer than 64 KiB$/m);
    }
  },
);

/** Answers requests until the caller has ended. */
async function answerOk(connection: RawConnection): Promise<void> {
  for (let answered = 0; connection.end === "open";) {
    const requests = connection.got.split("\r\n\r\n").length - 1;
    for (; answered < requests; answered++) connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    await pause(2);
  }
  connection.close();
}
