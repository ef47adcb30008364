import assert from "node:assert/strict";
import { KurunProcess } from "./kurun_process.ts";
import { clusterTest, type TestNamespace } from "./kubernetes.ts";
import { configure, Webhook } from "./webhook.ts";

const HOLD_MS = 1_000;
/** The hold, a second, and kubectl's own time. */
const LIMIT_MS = HOLD_MS + 1_500;

interface Created {
  readonly code: number;
  readonly stderr: string;
  readonly ms: number;
  // deno-lint-ignore no-explicit-any -- a ConfigMap
  readonly object: any;
}

/** Creates a ConfigMap, as a user does. */
async function create(namespace: TestNamespace, name: string): Promise<Created> {
  const manifest = { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: namespace.name }, data: { a: "1" } };
  const started = performance.now();
  const child = new Deno.Command("kubectl", {
    args: ["create", "-f", "-", "-o", "json"],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(JSON.stringify(manifest)));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const ms = performance.now() - started;
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stderr: text(stderr), ms, object: code === 0 ? JSON.parse(text(stdout)) : undefined };
}

/** A mutating webhook with failurePolicy Fail through kurun, which gets additional flags. */
async function withWebhook(
  namespace: TestNamespace,
  flags: string[],
  fn: (kurun: KurunProcess, webhook: Webhook) => Promise<void>,
): Promise<void> {
  await using webhook = await Webhook.start(namespace, "hook");
  const args = ["port-forward", webhook.url, "-n", namespace.name, "--servicename", "hook", "--tlssecret", "hook-tls"];
  await using kurun = await KurunProcess.start([...args, "--hold", `${HOLD_MS}ms`, ...flags]).ready();
  await using _configuration = await configure(namespace, { service: "hook", port: 80 }, webhook.ca);
  await fn(kurun, webhook);
}

clusterTest(
  "with --fallback allow kubectl create succeeds within the hold when kurun is killed, unchanged and with a warning",
  async (namespace) => {
    await withWebhook(namespace, ["--fallback", "allow"], async (kurun, webhook) => {
      await kurun.waitFor(/^If kurun loses its connection, admission requests are allowed with a warning after 1 s, others get 503\. /m);
      const asked = await create(namespace, "asked");
      assert.equal(asked.object.metadata.annotations["always-annotate-this"], "true");
      assert.equal(asked.stderr, "");
      // The program is asked and does not answer when kurun dies.
      Deno.kill(webhook.child.pid, "SIGSTOP");
      const underWay = create(namespace, "under-way");
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      kurun.signal("SIGKILL");
      const killed = performance.now();
      const lost = await underWay;
      assert.ok(performance.now() - killed < LIMIT_MS, `${performance.now() - killed} ms`);
      Deno.kill(webhook.child.pid, "SIGCONT");
      assert.match(lost.stderr, /^Warning: kurun allowed this without the webhook's answer: the connection to .+ was lost$/m);
      for (let i = 0; i < 2; i++) {
        const allowed = await create(namespace, `allowed-${i}`);
        assert.equal(allowed.code, 0, allowed.stderr);
        assert.match(allowed.stderr, /^Warning: kurun allowed this without calling the webhook: nobody connected since \S+Z, last /m);
        assert.equal(allowed.object.metadata.annotations, undefined);
        assert.deepEqual(allowed.object.data, { a: "1" });
        assert.ok(allowed.ms < LIMIT_MS, `${allowed.ms} ms`);
      }
    });
  },
);

clusterTest("without the flag kubectl create fails within the hold when kurun is killed, with kurun's sentence", async (namespace) => {
  await withWebhook(namespace, [], async (kurun, webhook) => {
    await kurun.waitFor(
      /^If kurun loses its connection, callers get 503 after 1 s\. If it does not return within 2m, everything it created is deleted\.$/m,
    );
    assert.equal((await create(namespace, "asked")).object.metadata.annotations["always-annotate-this"], "true");
    Deno.kill(webhook.child.pid, "SIGSTOP");
    const underWay = create(namespace, "under-way");
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    kurun.signal("SIGKILL");
    assert.match((await underWay).stderr, /kurun: the connection .* was lost before it answered; the request may have been delivered/);
    Deno.kill(webhook.child.pid, "SIGCONT");
    const refused = await create(namespace, "refused");
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /kurun: nobody is connected to session hook-kurun-/);
    assert.ok(refused.ms < LIMIT_MS, `${refused.ms} ms`);
  });
});

clusterTest(
  "the end of the API server's patience is reported while the program is at it, and kurun's own answers come before it",
  async (namespace) => {
    await using webhook = await Webhook.start(namespace, "hook");
    const args = ["port-forward", webhook.url, "-n", namespace.name, "--servicename", "hook", "--tlssecret", "hook-tls"];
    await using kurun = await KurunProcess.start([...args, "--fallback", "allow"]).ready();
    await using _configuration = await configure(namespace, { service: "hook", port: 80 }, webhook.ca, 2);
    assert.equal((await create(namespace, "asked")).code, 0);
    Deno.kill(webhook.child.pid, "SIGSTOP");
    const late = await create(namespace, "late");
    assert.match(late.stderr, /context deadline exceeded/);
    const asked = `\\S+: POST /mutate\\?timeout=2s \\(CREATE ConfigMap ${namespace.name}/late\\)`;
    await kurun.waitFor(new RegExp(`^${asked}: the API server gave up after 2 s; the program is still at it$`, "m"));
    kurun.signal("SIGKILL");
    await kurun.exit;
    const allowed = await create(namespace, "allowed");
    assert.match(allowed.stderr, /^Warning: kurun allowed this without calling the webhook: nobody connected since /m);
    assert.ok(allowed.ms < 1_900, `${allowed.ms} ms`);
  },
);
