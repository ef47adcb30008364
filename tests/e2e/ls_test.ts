import assert from "node:assert/strict";
import { KurunProcess } from "./kurun_process.ts";
import { clusterTest, kubectl, objectsIn, type TestNamespace } from "./kubernetes.ts";
import { serveHttp, type Upstream } from "./upstreams.ts";

const SESSION_LOST = 4;
const LABEL = "app.kubernetes.io/managed-by=kurun";

function here(): Upstream {
  return serveHttp(() => new Response("from here"));
}

function args(upstream: Upstream, namespace: TestNamespace, service: string, ...more: string[]): string[] {
  return ["port-forward", upstream.url, "-n", namespace.name, "--servicename", service, ...more];
}

function run(namespace: TestNamespace, ...words: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return KurunProcess.run([...words, "-n", namespace.name]);
}

async function kill(kurun: KurunProcess): Promise<void> {
  kurun.signal("SIGKILL");
  await kurun.exit;
}

/** The table's lines as cells. */
function rows(stdout: string): string[][] {
  return stdout.trimEnd().split("\n").map((line) => line.split(/ {2,}/));
}

clusterTest(
  "ls shows each session's user and machine, and whether a client is connected or when the session will be removed",
  async (namespace) => {
    await using upstream = here();
    await using _here = await KurunProcess.startOn("desk-7", args(upstream, namespace, "here")).ready();
    await kill(await KurunProcess.startOn("desk-8", args(upstream, namespace, "away")).ready());
    const { code, stdout, stderr } = await run(namespace, "ls");
    assert.deepEqual([code, stderr], [0, ""]);
    const [head, away, connected, ...more] = rows(stdout);
    assert.deepEqual(more, []);
    assert.deepEqual(head, ["NAME", "STATUS", "AGE", "WHO", "FROM"]);
    assert.deepEqual([away![0], away![4], connected![0], connected![1], connected![4]], ["away", "desk-8", "here", "Connected", "desk-7"]);
    assert.match(away![1]!, /^Away, removed in (\d+s|2m)$/);
    assert.match(connected![2]!, /^\d+s$/);

    const wide = rows((await run(namespace, "ls", "-o", "wide")).stdout);
    assert.deepEqual(wide[0]!.slice(5), ["UPSTREAM", "PORTS", "SESSION", "UNTIL", "SERVES"]);
    assert.deepEqual(wide[2]!.slice(5, 7), [upstream.url, "80"]);
    assert.match(wide[2]![7]!, /^here-kurun-\w{5}$/);
    const all = rows((await KurunProcess.run(["ls", "-A"])).stdout);
    assert.equal(all[0]![0], "NAMESPACE");
    assert.deepEqual(all.filter(([where]) => where === namespace.name).map(([, name]) => name), ["away", "here"]);
    assert.equal((await run(namespace, "ls", "-o", "name")).stdout, "session/away\nsession/here\n");
    const { items } = JSON.parse((await run(namespace, "ls", "-o", "json")).stdout);
    assert.deepEqual(
      items.map((item: { metadata: { name: string }; status: { state: string } }) => [item.metadata.name, item.status.state]),
      [
        ["away", "Away"],
        ["here", "Connected"],
      ],
    );
  },
);

clusterTest(
  "ls of a namespace without sessions says so on stderr only, and a missing right to list is named",
  async (namespace) => {
    const none = await run(namespace, "ls");
    assert.deepEqual(none, { code: 0, stdout: "", stderr: `No sessions found in ${namespace.name} namespace.\n` });
    const refused = await run(namespace, "ls", "--as", "nobody");
    assert.equal(refused.code, 3);
    assert.match(refused.stderr, /^Error from server \(Forbidden\): jobs\.batch is forbidden: User "nobody" cannot list resource "jobs"/);
  },
);

clusterTest(
  "stop ends a session named by its Service or itself, its kurun says so, and everything it created is removed",
  async (namespace) => {
    await using upstream = here();
    await using one = await KurunProcess.start(args(upstream, namespace, "one", "--ttl", "6s")).ready();
    await using two = await KurunProcess.start(args(upstream, namespace, "two", "--ttl", "6s")).ready();
    const jobs = (await objectsIn(namespace.name)).filter(({ kind }) => kind === "Job").map(({ metadata }) => metadata.name);
    const stopped = await run(namespace, "stop", "session/one", jobs.find((name) => name.startsWith("two-"))!);
    assert.equal(stopped.stderr, "");
    assert.deepEqual(stopped.stdout.trim().split("\n").sort(), ["session/one stopped", "session/two stopped"]);
    assert.equal(stopped.code, 0);
    assert.deepEqual(await namespace.left(), []);
    for (const kurun of [one, two]) {
      assert.equal(await kurun.exit, SESSION_LOST);
      assert.match(kurun.stderr, /^error: session \w+-kurun-\w{5} has ended: it was deleted in the cluster, for instance by kurun stop$/m);
    }
  },
);

clusterTest("stop names a session that does not exist, and stops the others", async (namespace) => {
  await using upstream = here();
  await using kurun = await KurunProcess.start(args(upstream, namespace, "one", "--ttl", "6s")).ready();
  await kubectl(["create", "job", "foreign", "--image=none", "-n", namespace.name]);
  const { code, stdout, stderr } = await run(namespace, "stop", "none", "foreign", "one");
  const missing = (name: string) => `error: there is no session ${name} in namespace ${namespace.name}: kurun ls lists the sessions\n`;
  assert.deepEqual([code, stdout, stderr], [1, "session/one stopped\n", missing("none") + missing("foreign")]);
  assert.equal(await kurun.exit, SESSION_LOST);
  assert.deepEqual((await namespace.left()).filter((name) => name.startsWith("Job/")), ["Job/foreign"]);
  assert.equal((await run(namespace, "stop")).code, 2);
});

clusterTest("a session that another user is connected to is stopped only with --force", async (namespace) => {
  await using upstream = here();
  await using theirs = await KurunProcess.startOn("desk-7", args(upstream, namespace, "theirs", "--ttl", "6s")).ready();
  for (const words of [["stop", "theirs"], ["stop", "--all"]]) {
    const { code, stdout, stderr } = await run(namespace, ...words);
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, /^error: session\/theirs is in use by \S+ on desk-7 since 20\S+Z: --force ends it anyway\n$/);
  }
  assert.equal(await (await fetch(`http://${await namespace.address("theirs")}/`)).text(), "from here");
  const forced = await run(namespace, "stop", "--all", "--force");
  assert.deepEqual(forced, { code: 0, stdout: "session/theirs stopped\n", stderr: "" });
  assert.equal(await theirs.exit, SESSION_LOST);
});

/** A Service, a Secret, a ConfigMap and a Deployment as a session makes them, of a session that is gone; and one of each that is not kurun's. */
async function leaveOrphans({ name: namespace }: TestNamespace): Promise<void> {
  const labels = { "app.kubernetes.io/managed-by": "kurun", "kurun.dev/session": "old-kurun-bcdfg" };
  const spec = (more: Record<string, string>) => ({
    replicas: 0,
    selector: { matchLabels: { app: "a" } },
    template: { metadata: { labels: { app: "a", ...more } }, spec: { containers: [{ name: "a", image: "none" }] } },
  });
  const items = [labels, { "app.kubernetes.io/managed-by": "Helm" }].flatMap((labels, index) => {
    const metadata = { name: ["old", "foreign"][index]!, labels };
    return [
      { apiVersion: "v1", kind: "Service", metadata, spec: { selector: { app: "a" }, ports: [{ port: 80 }] } },
      { apiVersion: "v1", kind: "Secret", metadata },
      { apiVersion: "v1", kind: "ConfigMap", metadata },
      { apiVersion: "apps/v1", kind: "Deployment", metadata, spec: spec({}) },
    ];
  });
  await kubectl(["create", "-n", namespace, "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items }));
}

clusterTest("cleanup removes orphans and sessions without a client, and nothing that is live or not kurun's", async (namespace) => {
  await using upstream = here();
  await using _live = await KurunProcess.start(args(upstream, namespace, "live")).ready();
  await using _theirs = await KurunProcess.startOn("desk-7", args(upstream, namespace, "theirs")).ready();
  await kill(await KurunProcess.start(args(upstream, namespace, "killed")).ready());
  await kill(await KurunProcess.startOn("desk-7", args(upstream, namespace, "blinking")).ready());
  await leaveOrphans(namespace);
  const before = await namespace.left();
  const dry = await run(namespace, "cleanup", "--dry-run=client");
  assert.deepEqual([dry.code, dry.stderr], [0, ""]);
  assert.deepEqual(await namespace.left(), before);
  const { code, stdout, stderr } = await run(namespace, "cleanup");
  assert.deepEqual([code, stderr], [0, ""]);
  assert.equal(stdout.replace(/$/gm, " (dry run)").replace(/ \(dry run\)$/, ""), dry.stdout);
  const where = `removed from namespace ${namespace.name}`;
  assert.deepEqual(stdout.trim().split("\n").map((line) => line.replace(/20\S+Z/, "TIME")), [
    `session/killed ${where}: no client has been connected since TIME`,
    `service/old ${where}: its session is gone`,
    `secret/old ${where}: its session is gone`,
    `configmap/old ${where}: its session is gone`,
    `deployment/old ${where}: its session is gone`,
  ]);
  for (let tries = 0; tries < 100 && (await left(namespace)).some((name) => /killed|old/.test(name)); tries++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.deepEqual(await left(namespace), before.filter((name) => !/killed|\/old/.test(name) && !name.startsWith("Pod/")));
  assert.equal(await (await fetch(`http://${await namespace.address("live")}/`)).text(), "from here");
  assert.equal(await (await fetch(`http://${await namespace.address("theirs")}/`)).text(), "from here");
  const again = await run(namespace, "cleanup");
  assert.deepEqual(again, { code: 0, stdout: "", stderr: `Nothing is left behind in ${namespace.name} namespace.\n` });
});

/** The objects that exist, without Pods, which take a while to stop. */
async function left(namespace: TestNamespace): Promise<string[]> {
  return (await namespace.left()).filter((name) => !name.startsWith("Pod/"));
}

clusterTest("a Job that has ended but was not removed is cleaned up", async (namespace) => {
  const job = {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name: "gone-kurun-bcdfg", labels: { "app.kubernetes.io/managed-by": "kurun", "kurun.dev/session": "gone-kurun-bcdfg" } },
    spec: {
      parallelism: 0,
      activeDeadlineSeconds: 1,
      template: { spec: { restartPolicy: "Never", containers: [{ name: "none", image: "none" }] } },
    },
  };
  await kubectl(["create", "-n", namespace.name, "-f", "-"], JSON.stringify(job));
  await kubectl(["wait", "-n", namespace.name, "--for=condition=Failed", "job/gone-kurun-bcdfg", "--timeout=30s"]);
  const { stdout } = await run(namespace, "cleanup");
  assert.equal(stdout, `session/gone removed from namespace ${namespace.name}: it has ended\n`);
  assert.equal(await kubectl(["get", "jobs", "-n", namespace.name, "-l", LABEL, "-o", "name"]), "");
});

clusterTest("Tab after stop offers the Services of the existing sessions", async (namespace) => {
  await using upstream = here();
  await using _kurun = await KurunProcess.start(args(upstream, namespace, "api")).ready();
  // kurun answers within half a second or says nothing, and the machine may be busy.
  for (let tab = 0; tab < 10; tab++) {
    const { stdout, stderr } = await KurunProcess.run(["__complete", "=", "stop", "-n", namespace.name]);
    assert.equal(stderr, "");
    // Flags are offered too, after the names.
    const names = stdout.split("\n").filter((line) => line !== "" && !line.startsWith("-"));
    if (names.length === 0) continue;
    assert.deepEqual(names, ["api"]);
    return;
  }
  assert.fail("nothing was offered");
});
