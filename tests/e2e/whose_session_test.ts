import assert from "node:assert/strict";
import { KurunProcess } from "./kurun_process.ts";
import { clusterTest, kubectl, objectsIn, type TestNamespace } from "./kubernetes.ts";
import { serveHttp, type Upstream } from "./upstreams.ts";

/** The exit code of a client that has lost its session. */
const SESSION_LOST = 4;
const SINCE = String.raw`20\S+Z`;

function args(upstream: Upstream, namespace: TestNamespace, ...more: string[]): string[] {
  return ["port-forward", upstream.url, "-n", namespace.name, ...more];
}

function forward(upstream: Upstream, namespace: TestNamespace, ...more: string[]): KurunProcess {
  return KurunProcess.start(args(upstream, namespace, ...more));
}

function says(text: string): Upstream {
  return serveHttp(() => new Response(text));
}

/** What identifies a session: names and uids of its Job, Pod and Secret, and the Service's address. */
async function identity(namespace: TestNamespace): Promise<string[]> {
  const objects = (await objectsIn(namespace.name)).filter(({ kind, metadata }) =>
    ["Job", "Pod", "Secret", "Service"].includes(kind) && !metadata.deletionTimestamp
  );
  return objects.map(({ kind, metadata, spec }) => `${kind}/${metadata.name} ${metadata.uid} ${spec?.clusterIP ?? ""}`).sort();
}

async function answer(namespace: TestNamespace): Promise<string> {
  return await (await fetch(`http://${await namespace.address()}/`)).text();
}

async function kill(kurun: KurunProcess): Promise<void> {
  kurun.signal("SIGKILL");
  await kurun.exit;
}

clusterTest(
  "after kill -9 the next start resumes the session, and answers within 2 s a request that arrived in between",
  async (namespace) => {
    await using before = says("before");
    await using after = says("after");
    await using started = new AsyncDisposableStack();
    let kurun = await started.use(forward(before, namespace, "--hold", "20s")).ready();
    const was = await identity(namespace);
    assert.equal(await answer(namespace), "before");
    // Another program may have the machine during a start, but not during all three.
    const times: number[] = [];
    while (!times.some((ms) => ms < 2_000)) {
      assert.ok(times.length < 3, `${times} ms`);
      await kill(kurun);
      const held = answer(namespace);
      const began = performance.now();
      kurun = started.use(forward(after, namespace, "--hold", "20s"));
      assert.equal(await held, "after");
      times.push(performance.now() - began);
      await kurun.ready();
      assert.match(
        kurun.stderr,
        new RegExp(
          `^Resumed your session kurun-kurun-\\w{5}, which has had no client since ${SINCE}; its Service and address are the same$`,
          "m",
        ),
      );
      assert.deepEqual(await identity(namespace), was);
    }
    kurun.signal("SIGINT");
    assert.equal(await kurun.exit, 0);
    assert.deepEqual(await namespace.left(), []);
  },
);

clusterTest(
  "the Job of an adopted session names its new program, and the session outlives its old deadline",
  async (namespace) => {
    await using before = says("before");
    await using after = says("after");
    await kill(await forward(before, namespace, "--ttl", "6s").ready());
    await using _kurun = await forward(after, namespace, "--ttl", "6s").ready();
    await new Promise((resolve) => setTimeout(resolve, 8_000));
    const job = (await objectsIn(namespace.name)).find(({ kind }) => kind === "Job")!;
    assert.equal(job.metadata.annotations?.["kurun.dev/upstream"], after.url);
    assert.equal(await answer(namespace), "after");
  },
);

clusterTest(
  "a second start of one's own connected session is refused with its own message, and the session continues",
  async (namespace) => {
    await using upstream = says("first");
    await using _kurun = await forward(upstream, namespace).ready();
    const was = await identity(namespace);
    const { code, stdout, stderr } = await KurunProcess.run(args(upstream, namespace));
    assert.equal(code, 3);
    assert.equal(stdout, "");
    assert.match(
      stderr,
      new RegExp(
        `^error: you are already running this: Service kurun in namespace ${namespace.name} has forwarded to ${upstream.url} on \\S+ since ${SINCE}\\. ` +
          `End it \\(kurun stop kurun -n ${namespace.name}\\), replace it with --takeover, or choose another name with --servicename\\n$`,
      ),
    );
    assert.deepEqual(await identity(namespace), was);
    assert.equal(await answer(namespace), "first");
  },
);

clusterTest(
  "another user's session is refused with its user, machine, start and program, even if nobody is connected",
  async (namespace) => {
    await using upstream = says("theirs");
    const theirs = await KurunProcess.startOn("desk-7", args(upstream, namespace, "--ttl", "30s")).ready();
    const was = await identity(namespace);
    const refused =
      `^error: Service kurun in namespace ${namespace.name} has been used by \\S+ on desk-7 since ${SINCE}, for ${upstream.url}`;
    const todo = "Ask \\S+ to end it, choose another name with --servicename, or take it over with --takeover\\n$";
    const live = await KurunProcess.run(args(upstream, namespace, "--ttl", "30s"));
    assert.match(live.stderr, new RegExp(`${refused}\\. ${todo}`));
    assert.equal(live.code, 3);
    assert.equal(await answer(namespace), "theirs");
    await kill(theirs);
    const away = await KurunProcess.run(args(upstream, namespace, "--ttl", "30s"));
    assert.match(
      away.stderr,
      new RegExp(
        `${refused} \\(no client has been connected since ${SINCE}, and it ends at ${SINCE} unless its client returns\\)\\. ${todo}`,
      ),
    );
    assert.equal(away.code, 3);
    assert.deepEqual(await identity(namespace), was);
  },
);

clusterTest(
  "--takeover takes over another user's live session, whose kurun exits with the new user's name and removes nothing",
  async (namespace) => {
    await using theirs = says("theirs");
    await using mine = says("mine");
    await using other = await KurunProcess.startOn("desk-7", args(theirs, namespace)).ready();
    const was = await identity(namespace);
    assert.equal(await answer(namespace), "theirs");
    await using kurun = await KurunProcess.startOn("desk-8", args(mine, namespace, "--takeover")).ready();
    assert.equal(await other.exit, SESSION_LOST);
    assert.match(other.stderr, /^error: this kurun lost session kurun-kurun-\w{5}: replaced by \S+ from desk-8$/m);
    assert.match(
      kurun.stderr,
      new RegExp(`^Took over session kurun-kurun-\\w{5} from \\S+ on desk-7, who had used it since ${SINCE}$`, "m"),
    );
    assert.equal(await answer(namespace), "mine");
    assert.deepEqual(await identity(namespace), was);
    kurun.signal("SIGINT");
    assert.equal(await kurun.exit, 0);
    assert.deepEqual(await namespace.left(), []);
  },
);

clusterTest(
  "--takeover with different flags creates a new session, and the replaced kurun still names who took over",
  async (namespace) => {
    await using theirs = says("theirs");
    await using mine = says("mine");
    await using other = await KurunProcess.startOn("desk-7", args(theirs, namespace)).ready();
    const was = await identity(namespace);
    await using kurun = await KurunProcess.startOn("desk-8", args(mine, namespace, "--takeover", "--hold", "1s")).ready();
    assert.equal(await other.exit, SESSION_LOST);
    assert.match(other.stderr, /^error: this kurun lost session kurun-kurun-\w{5}: replaced by \S+ from desk-8$/m);
    assert.match(kurun.stderr, /^Replacing the session of \S+ on desk-7 at Service kurun \(.*\): --hold differs$/m);
    assert.equal(await answer(namespace), "mine");
    assert.deepEqual((await identity(namespace)).filter((object) => was.includes(object)), []);
  },
);

/** Waits until one of two has exited. @returns the other, and the exit code and stderr of the one that exited */
async function race(two: readonly [KurunProcess, KurunProcess]): Promise<{ winner: KurunProcess; code: number; stderr: string }> {
  const first = await Promise.race(two.map(async (kurun, index) => ({ code: await kurun.exit, index })));
  return { winner: two[1 - first.index]!, code: first.code, stderr: two[first.index]!.stderr };
}

clusterTest("of two simultaneous starts one serves, and the other is refused and removes nothing", async (namespace) => {
  await using upstream = says("one of two");
  await using one = forward(upstream, namespace);
  await using two = forward(upstream, namespace);
  const { winner, code, stderr } = await race([one, two]);
  assert.equal(code, 3);
  assert.match(stderr, /^error: you are already running this: /m);
  await winner.ready();
  assert.equal(await answer(namespace), "one of two");
  assert.equal((await objectsIn(namespace.name)).filter(({ kind, metadata }) => kind === "Job" && !metadata.deletionTimestamp).length, 1);
});

clusterTest("of two starts that find a session without a client, one adopts it and the other is refused", async (namespace) => {
  await using upstream = says("adopted");
  await kill(await forward(upstream, namespace).ready());
  const was = await identity(namespace);
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  await using one = forward(upstream, namespace);
  await using two = forward(upstream, namespace);
  const { winner, code, stderr } = await race([one, two]);
  assert.equal(code, 3);
  assert.match(stderr, /^error: you are already running this: /m);
  await winner.ready();
  assert.equal(await answer(namespace), "adopted");
  assert.deepEqual(await identity(namespace), was);
});

clusterTest("a client whose session was deleted exits with a message that says so", async (namespace) => {
  await using upstream = says("here");
  await using kurun = await forward(upstream, namespace, "--ttl", "6s").ready();
  await kubectl(["delete", "jobs", "--all", "-n", namespace.name, "--cascade=background"]);
  assert.equal(await kurun.exit, SESSION_LOST);
  assert.match(kurun.stderr, /^error: session kurun-kurun-\w{5} has ended: it was deleted in the cluster, for instance by kurun stop$/m);
});

clusterTest("kurun ends with exit code 4 within seconds when its Service is deleted, and removes the rest", async (namespace) => {
  await using upstream = says("here");
  await using kurun = await forward(upstream, namespace).ready();
  const started = performance.now();
  await kubectl(["delete", "service", "kurun", "-n", namespace.name, "--wait=false"]);
  assert.equal(await kurun.exit, SESSION_LOST);
  assert.ok(performance.now() - started < 12_000, `${performance.now() - started} ms`);
  assert.match(kurun.stderr, /^error: Service kurun was deleted\. The session cannot continue after that/m);
  assert.deepEqual(await namespace.left(), []);
});

/** Writes another user into the session's Job, as an adoption does. @returns the Job, as `Job/NAME` */
async function adoptByHand(namespace: TestNamespace): Promise<string> {
  const job = (await objectsIn(namespace.name)).find(({ kind }) => kind === "Job")!;
  const owner = { "kurun.dev/who": "bob", "kurun.dev/from": "desk-9", "kurun.dev/since": new Date().toISOString() };
  const annotations = Object.entries(owner).map((pair) => pair.join("="));
  await kubectl(["annotate", "job", job.metadata.name, "-n", namespace.name, "--overwrite", ...annotations]);
  return `Job/${job.metadata.name}`;
}

clusterTest("a client that cannot reach its Pod learns at its next renewal that its session was taken over", async (namespace) => {
  await using upstream = says("here");
  await using kurun = await forward(upstream, namespace, "--ttl", "6s").ready();
  const job = await adoptByHand(namespace);
  assert.equal(await kurun.exit, SESSION_LOST);
  assert.match(kurun.stderr, /^error: this kurun lost session kurun-kurun-\w{5}: replaced by bob from desk-9$/m);
  assert.ok((await namespace.left()).includes(job));
});

clusterTest("a client that exits before it learns that its session was adopted removes nothing", async (namespace) => {
  await using upstream = says("here");
  const kurun = await forward(upstream, namespace).ready();
  const job = await adoptByHand(namespace);
  kurun.signal("SIGHUP");
  await kurun.exit;
  assert.ok((await namespace.left()).includes(job));
});

clusterTest(
  "--takeover of a session that is still starting creates a new one, and the replaced kurun names who took over",
  async (namespace) => {
    await using theirs = says("theirs");
    await using mine = says("mine");
    const image = ["--server-image", "kurun.test/no-such-image:1"];
    await using other = KurunProcess.startOn("desk-7", args(theirs, namespace, "--ttl", "30s", ...image));
    await other.waitFor(/ErrImage|ImagePull/);
    const refused = await KurunProcess.run(args(mine, namespace, "--ttl", "30s", ...image));
    assert.match(
      refused.stderr,
      new RegExp(`on desk-7 since ${SINCE}, for .* \\(its client was last seen at ${SINCE}\\)\\. Ask `),
    );
    assert.equal(refused.code, 3);
    await using kurun = KurunProcess.startOn("desk-8", args(mine, namespace, "--ttl", "30s", "--takeover", ...image));
    await kurun.waitFor(/^Replacing the session of \S+ on desk-7 at Service kurun \(.*\): its client may be about to connect$/m);
    assert.equal(await other.exit, SESSION_LOST);
    assert.match(other.stderr, /^error: this kurun lost session kurun-kurun-\w{5}: replaced by \S+ from desk-8$/m);
  },
);
