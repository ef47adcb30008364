import assert from "node:assert/strict";
import { clusterTest, kubectl } from "./kubernetes.ts";
import { KurunProcess } from "./kurun_process.ts";
import { serveHttp } from "./upstreams.ts";

const TTL_S = 6;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function answer(url: string): Promise<string> {
  return await (await fetch(url, { signal: AbortSignal.timeout(5_000) })).text();
}

clusterTest("after a sleep longer than the ttl a new session serves the same names, with a message that says so", async (namespace) => {
  await using upstream = serveHttp(() => new Response("here"));
  await using kurun = await KurunProcess.start(["port-forward", upstream.url, "-n", namespace.name, "--ttl", `${TTL_S}s`]).ready();
  const job = () => kubectl(["get", "jobs", "-n", namespace.name, "-o", "jsonpath={.items[*].metadata.name}"]);
  const before = await job();
  kurun.signal("SIGSTOP");
  await pause((TTL_S + 1) * 1_000);
  for (let i = 0; i < 60 && await job() !== ""; i++) await pause(250);
  kurun.signal("SIGCONT");
  const [, name] = await kurun.waitFor(/^Forwarding again, as session (\S+)$/m, 20_000);
  assert.match(kurun.stderr, new RegExp(`^Session ${before} has ended: .* Creating a new one with the same names$`, "m"));
  assert.equal(await job(), name);
  assert.notEqual(name, before);
  assert.equal(await answer(`http://kurun.${namespace.name}.svc/`), "here");
  assert.equal(kurun.stdout.match(/^Forwarding/gm)?.length, 1);
  kurun.signal("SIGINT");
  assert.equal(await kurun.exit, 0);
  assert.deepEqual(await namespace.left(), []);
});

clusterTest(
  "a deleted session is not created again: kurun exits with a message and its own exit code",
  async (namespace) => {
    await using upstream = serveHttp(() => new Response("here"));
    await using kurun = await KurunProcess.start(["port-forward", upstream.url, "-n", namespace.name]).ready();
    await kubectl(["delete", "jobs", "--all", "-n", namespace.name]);
    assert.equal(await kurun.exit, 4);
    assert.match(kurun.stderr, /^error: session kurun-kurun-\w+ has ended: it was deleted in the cluster, for instance by kurun stop$/m);
    assert.deepEqual(await namespace.left(), []);
  },
);

clusterTest("a machine that sleeps for less than the ttl keeps its session", async (namespace) => {
  await using upstream = serveHttp(() => new Response("here"));
  await using kurun = await KurunProcess.start(["port-forward", upstream.url, "-n", namespace.name]).ready();
  const url = `http://kurun.${namespace.name}.svc/`;
  kurun.signal("SIGSTOP");
  const asked = performance.now();
  const refused = await fetch(url);
  assert.equal(refused.status, 503);
  assert.ok(performance.now() - asked < 4_000);
  await refused.body?.cancel();
  await pause(5_000);
  kurun.signal("SIGCONT");
  const [, after] = await kurun.waitFor(/^Reconnected after (\S+)$/m);
  assert.equal(await answer(url), "here");
  assert.ok(parseInt(after ?? "") <= 4, after);
});
