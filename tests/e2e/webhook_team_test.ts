/** Several people with webhooks of their own beside one in the cluster. KURUN_WEBHOOK_OBJECTS sets how many objects are created. */
import assert from "node:assert/strict";
import { SeededRandom } from "../seeded_random.ts";
import { apiOfTests } from "../faults/api_server.ts";
import { ANSWERED_BY, answeringHere, OriginalWebhook } from "./answering_webhook.ts";
import { KurunProcess } from "./kurun_process.ts";
import { clusterTest, printFigure, TestNamespace } from "./kubernetes.ts";

const OBJECTS = Number(Deno.env.get("KURUN_WEBHOOK_OBJECTS") ?? 120);
const AT_ONCE = 10;
const KINDS = { ConfigMap: "configmaps", Secret: "secrets", ServiceAccount: "serviceaccounts" };

interface Created {
  readonly kind: keyof typeof KINDS;
  readonly namespace: string;
  readonly team: string | undefined;
}

clusterTest(
  "three people with disjoint filters answer exactly their objects, the original all others, and an overlap is refused",
  async (main) => {
    await using other = await TestNamespace.create();
    await using original = await OriginalWebhook.start(main);
    await original.configure(main.name, [main.name, other.name], Object.values(KINDS));
    const before = await original.stored();
    await using people = new AsyncDisposableStack();
    const start = (who: string, ...only: string[]) => {
      const { url } = people.use(answeringHere(who));
      const flags = ["--config", main.name, "--servicename", who, ...only.flatMap((condition) => ["--only", condition])];
      return people.use(KurunProcess.startOn(`desk-of-${who}`, ["webhook", url, "-n", main.name, ...flags]));
    };
    const alice = start("alice", `namespace=${main.name}`, "kind=ConfigMap");
    const bob = start("bob", `namespace=${main.name}`, "kind=Secret");
    const carol = start("carol", `namespace=${other.name}`, "label=team=carol");
    await Promise.all([alice, bob, carol].map((kurun) => kurun.answering()));
    const ownerOf = ({ kind, namespace, team }: Created) => {
      if (namespace === other.name) return team === "carol" ? "carol" : "original";
      return ({ ConfigMap: "alice", Secret: "bob", ServiceAccount: "original" })[kind];
    };

    const seed = Date.now() % 1e6;
    const random = new SeededRandom(seed);
    const objects = Array.from({ length: OBJECTS }, (): Created => ({
      kind: random.pick(Object.keys(KINDS) as Created["kind"][]),
      namespace: random.pick([main.name, other.name]),
      team: random.pick([undefined, "carol", "dave"]),
    }));
    const wrong: string[] = [];
    const answers: Record<string, number> = {};
    const api = await apiOfTests();
    const work = async () => {
      for (let object = objects.shift(); object; object = objects.shift()) {
        const { kind, namespace, team } = object;
        const metadata = { generateName: "mixed-", ...team && { labels: { team } } };
        const path = `/api/v1/namespaces/${namespace}/${KINDS[kind]}`;
        const options = { body: { apiVersion: "v1", kind, metadata }, query: { dryRun: "All" } };
        const { body } = await api.request<{ metadata: { annotations?: Record<string, string> } }>("POST", path, options);
        const answer = body.metadata.annotations?.[ANSWERED_BY] ?? "nobody";
        answers[answer] = (answers[answer] ?? 0) + 1;
        if (answer !== ownerOf(object)) wrong.push(`${JSON.stringify(object)} was answered by ${answer} instead of ${ownerOf(object)}`);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work)).finally(() => api.close());
    printFigure(`${OBJECTS} objects (seed ${seed}) were answered by ${JSON.stringify(answers)}`);
    assert.deepEqual(wrong, []);
    assert.deepEqual(Object.keys(answers).sort(), ["alice", "bob", "carol", "original"]);

    const dave = start("dave", `namespace=${other.name}`);
    await dave.waitFor(/^error: /m, 20_000);
    assert.notEqual(await dave.ended(), 0);
    assert.match(dave.stderr, /^error: [\s\S]*desk-of-carol/m);
    for (const kurun of [alice, bob, carol]) kurun.signal("SIGINT");
    assert.deepEqual(await Promise.all([alice, bob, carol].map((kurun) => kurun.ended())), [0, 0, 0]);
    assert.deepEqual(await original.stored(), before);
  },
);
