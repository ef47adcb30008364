import assert from "node:assert/strict";
import { FORWARD_PLAN } from "../../tests/forward_plan.ts";
import { objectServer } from "../../tests/object_server.ts";
import { scriptedApi } from "../../tests/scripted_api.ts";
import { Annotation } from "../../k8s/session/objects/session_plan.ts";
import { hookPath, type LiveHookConfiguration } from "../../k8s/webhook/hook_configuration.ts";
import { parseFilter } from "../../k8s/webhook/only_filter.ts";
import { checkOverlap } from "./check_overlap.ts";

const SERVES = "MutatingWebhookConfiguration/original";
const annotations = { [Annotation.serves]: `ValidatingWebhookConfiguration/x,${SERVES}`, [Annotation.service]: "web" };
const PLAN = { ...FORWARD_PLAN, annotations };
const JOB = "/apis/batch/v1/namespaces/dev/jobs/bobs-kurun-zzzzz";
const { signal } = new AbortController();

/** Bob's copy of the original. */
function copy(filter: string, more: Record<string, string> = {}, creationTimestamp = "2026-01-01T00:00:00Z") {
  return {
    metadata: {
      name: "original--zzzzz",
      uid: "2",
      creationTimestamp,
      labels: { "app.kubernetes.io/managed-by": "kurun", "kurun.dev/session": "bobs-kurun-zzzzz" },
      annotations: {
        [Annotation.serves]: SERVES,
        [Annotation.namespace]: "dev",
        [Annotation.service]: "bobs",
        [Annotation.who]: "bob",
        [Annotation.from]: "desk",
        [Annotation.since]: "2026-01-01T00:00:00Z",
        [Annotation.filter]: filter,
        ...more,
      },
    },
    webhooks: [],
  };
}

const filter = (...only: string[]) => JSON.stringify(parseFilter(only));

async function check(theirs: ReturnType<typeof copy>, job: unknown = { metadata: {} }, mine?: LiveHookConfiguration[]): Promise<string[]> {
  using server = objectServer(new Map([[`${hookPath("MutatingWebhookConfiguration")}/original--zzzzz`, theirs], [JOB, job]]));
  using api = scriptedApi(server);
  return await checkOverlap(api, PLAN, parseFilter(["namespace=dev-*"]), signal, mine);
}

Deno.test("a session whose requests another one answers is refused, with whose they are and an example", async () => {
  await assert.rejects(check(copy(filter("namespace=*-a", "kind=Pod"))), (error: Error) => {
    const [what, example, todo] = error.message.split("\n");
    assert.equal(what, `${SERVES} is already answered by bob on desk since 2026-01-01T00:00:00Z, for Pod in *-a`);
    assert.match(example ?? "", /^Both sessions would answer .*dev-/);
    assert.equal(todo, "Choose other requests with --only, or end that session: kurun stop bobs-kurun-zzzzz -n dev");
    return true;
  });
});

Deno.test("sessions with other requests, at other configurations, that have ended, and the one that is replaced do not matter", async () => {
  const everything = filter();
  assert.deepEqual(await check(copy(filter("namespace=prod"))), []);
  assert.deepEqual(await check(copy(everything, { [Annotation.serves]: "MutatingWebhookConfiguration/other" })), []);
  assert.deepEqual(await check(copy(everything, { [Annotation.namespace]: "shop", [Annotation.service]: "web" })), []);
  assert.deepEqual(await check(copy(everything), { metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } }), []);
  assert.deepEqual(await check(copy(everything, { [Annotation.namespace]: "../x" })), []);
  await assert.rejects(check(copy(everything)), /for everything/);
});

Deno.test("filters that cannot be compared cause a warning", async () => {
  const [warning, ...more] = await check(copy('{"only":{},"match":"object.x"}'));
  assert.match(
    warning ?? "",
    /^bob on desk answers MutatingWebhookConfiguration original too, for where object\.x\. Requests that are both/,
  );
  assert.deepEqual(more, []);
  assert.equal((await check(copy("not JSON"))).length, 1);
});

Deno.test("of two sessions that start at the same time, the later one is refused", async () => {
  const mine = (creationTimestamp: string, session = "web-kurun-bcdfg") => {
    const labels = { "kurun.dev/session": session };
    return [{ metadata: { name: "a", uid: "1", creationTimestamp, labels } } as unknown as LiveHookConfiguration];
  };
  const theirs = copy(filter(), {}, "2026-01-01T00:00:01Z");
  await assert.rejects(check(theirs, undefined, mine("2026-01-01T00:00:02Z")));
  assert.deepEqual(await check(theirs, undefined, mine("2026-01-01T00:00:00Z")), []);
  await assert.rejects(check(theirs, undefined, mine("2026-01-01T00:00:01Z")));
  assert.deepEqual(await check(theirs, undefined, mine("2026-01-01T00:00:01Z", "a-kurun-bcdfg")), []);
});
