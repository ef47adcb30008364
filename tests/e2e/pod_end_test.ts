import assert from "node:assert/strict";
import { KurunProcess } from "./kurun_process.ts";
import { clusterTest, kubectl, type TestNamespace } from "./kubernetes.ts";
import { callRaw } from "./raw_http.ts";
import { serveHttp } from "./upstreams.ts";

const EVERY_MS = 50;
/** Far below the hold (3 s): no caller waits for a client, whichever Pod it reaches. */
const ANSWERED_MS = 2_000;

/** A request's answer or error, when it was sent, and how long it took, in milliseconds. */
interface Answer {
  readonly at: number;
  readonly ms: number;
  readonly answer: string;
}

/** Sends a request every 50 ms, each on its own connection, until stopped. */
function ask(address: string, path: string): { stop(): Promise<Answer[]> } {
  const started = performance.now();
  const answers: Promise<Answer>[] = [];
  const timer = setInterval(() => {
    const at = performance.now();
    answers.push(askOnce(address, path).then((answer) => ({ at: at - started, ms: performance.now() - at, answer })));
  }, EVERY_MS);
  return {
    stop: () => {
      clearInterval(timer);
      return Promise.all(answers);
    },
  };
}

async function askOnce(address: string, path: string): Promise<string> {
  await using caller = callRaw(address);
  caller.send(`GET ${path} HTTP/1.1\r\nHost: kurun\r\nConnection: close\r\n\r\n`);
  const got = await Promise.race([
    caller.waitForEnd(),
    new Promise<string>((resolve) => setTimeout(resolve, 15_000, "")),
  ]);
  return /^HTTP\/1\.1 200 [^]*ok$/.test(got) ? "ok" : `${caller.end}: ${got}`;
}

/** Sends one request after another on kept connections, as HTTP clients do. */
async function keepAsking(url: string, until: { readonly over: boolean }): Promise<string[]> {
  const wrong: string[] = [];
  while (!until.over) {
    const answer = await fetch(url).then((response) => response.text(), (error) => String(error));
    if (answer !== "ok") wrong.push(answer);
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
  return wrong;
}

async function pods(namespace: TestNamespace): Promise<string[]> {
  const names = await kubectl(["get", "pods", "-n", namespace.name, "-o", "jsonpath={.items[*].metadata.name}"]);
  return names.split(" ").filter(Boolean);
}

for (const isJoined of [false, true]) {
  const service = isJoined ? "a Service that it joined" : "its own Service";
  clusterTest(
    `the Pod behind ${service} is deleted under twenty requests a second: all are answered, and a stream ends complete`,
    async (namespace) => {
      if (isJoined) await kubectl(["create", "service", "clusterip", "kurun", "--tcp=80:8444", "-n", namespace.name]);
      await using program = serveHttp((request) => {
        if (new URL(request.url).pathname !== "/stream") return new Response("ok");
        let left = 40;
        return new Response(
          new ReadableStream({
            async pull(controller) {
              await new Promise((resolve) => setTimeout(resolve, 100));
              controller.enqueue(new TextEncoder().encode("."));
              if (--left === 0) controller.close();
            },
          }),
        );
      });
      await using kurun = await KurunProcess.start(["port-forward", program.url, "-n", namespace.name]).ready();
      const address = await namespace.address();
      if (!isJoined) await namespace.onlyReadyPods();
      const [old] = await pods(namespace);
      const flow = ask(address, "/");
      const keeping = { over: false };
      const kept = keepAsking(`http://${address}/`, keeping);
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      const stream = await fetch(`http://${address}/stream`);
      const deleted = performance.now();
      await kubectl(["delete", "pod", old as string, "-n", namespace.name, "--wait=false"]);
      assert.equal((await stream.text()).length, 40);
      while ((await pods(namespace)).includes(old as string)) {
        assert.ok(performance.now() - deleted < 15_000, "the Pod is there after 15 s");
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      keeping.over = true;
      const answers = await flow.stop();
      const wrong = answers.filter(({ answer }) => answer !== "ok");
      assert.deepEqual(wrong, [], `of ${answers.length}\n${kurun.stderr}`);
      assert.deepEqual(await kept, []);
      const slowest = Math.max(...answers.map(({ ms }) => ms));
      assert.ok(slowest < ANSWERED_MS, `the slowest of ${answers.length} answers took ${slowest} ms`);
    },
  );
}
