import assert from "node:assert/strict";
import { SeededRandom } from "../../tests/seeded_random.ts";
import type { Api } from "../api/api.ts";
import type { Service, ServicePort } from "../api/kubernetes_objects.ts";
import { ApiError } from "../api/api_error.ts";
import { checkObjects, SessionBrokenError } from "./check_objects.ts";
import type { ForwardPlan } from "./objects/session_plan.ts";
import { decideOnService } from "./service/service_decision.ts";
import { type ClusterSession, SessionGoneError } from "./session.ts";

const PLAN = {
  name: "web-kurun-bcdfg",
  namespace: "dev",
  service: "web",
  ports: [{ port: 80, targetPort: 8444 }],
  server: "// server",
} as unknown as ForwardPlan;
const SERVICE = { metadata: {}, spec: { selector: { "kurun.dev/session": PLAN.name }, ports: [{ port: 80, targetPort: 8444 }] } };
const THERE = { metadata: {} };
const gone = new ApiError("gone", { status: 404, reason: "NotFound" });
const forbidden = new ApiError("no", { status: 403, reason: "Forbidden" });

type Objects = Readonly<Record<string, unknown>>;
const ALL: Objects = { "services/web": SERVICE, "services/web-kurun": THERE, deployments: THERE, secrets: THERE, configmaps: THERE };

/** What checking finds within 50 ms, at a look each millisecond. */
async function check(objects: Objects, { renew = () => Promise.resolve(), plan = PLAN } = {}): Promise<unknown> {
  let looks = 0;
  const api = {
    get: (path: string) => {
      looks++;
      const key = Object.keys(objects).find((name) => path.endsWith(name) || path.includes(`/${name}/`)) as string;
      const object = objects[key];
      return object instanceof Error ? Promise.reject(object) : Promise.resolve({ body: object });
    },
  } as unknown as Api;
  const stop = AbortSignal.timeout(50);
  const failure = await checkObjects(api, { plan, renew } as unknown as ClusterSession<ForwardPlan>, stop, 1).catch((error) => error);
  return failure === stop.reason ? looks : failure;
}

for (
  const [what, objects, message] of [
    ["the user's Service", { "services/web": gone }, "Service web was deleted"],
    ["the control port's Service", { "services/web-kurun": gone }, "Service web-kurun was deleted"],
    ["the Deployment", { deployments: gone }, "Deployment web-kurun-bcdfg was deleted"],
    ["the Secret", { secrets: gone }, "Secret web-kurun-bcdfg was deleted"],
    ["the ConfigMap", { configmaps: gone }, "ConfigMap web-kurun-bcdfg was deleted"],
    [
      "a Service that is being deleted",
      { "services/web": { ...SERVICE, metadata: { deletionTimestamp: "now" } } },
      "Service web was deleted",
    ],
    [
      "a selector",
      { "services/web": { ...SERVICE, spec: { ...SERVICE.spec, selector: { app: "web" } } } },
      "Service web has another selector",
    ],
    ["a port", { "services/web": { ...SERVICE, spec: { ...SERVICE.spec, ports: [{ port: 81 }] } } }, "Service web no longer has port 80"],
    [
      "a target port",
      { "services/web": { ...SERVICE, spec: { ...SERVICE.spec, ports: [{ port: 80, targetPort: 9 }] } } },
      "Service web maps port 80 to another target port, 9",
    ],
  ] as [string, Objects, string][]
) {
  Deno.test(`a session learns that somebody deleted or changed ${what}`, async () => {
    const failure = await check({ ...ALL, ...objects });
    assert.ok(failure instanceof SessionBrokenError, String(failure));
    assert.equal(failure.message, message);
  });
}

Deno.test("objects that are as they were, cannot be reached, or may not be read are no change", async () => {
  assert.ok(await check(ALL) as number > 8);
  assert.ok(await check({ ...ALL, "services/web": new Error("no network") }) as number > 8);
  assert.ok(await check({ ...ALL, secrets: forbidden, deployments: forbidden }) as number > 4);
});

Deno.test("if the whole session was deleted, that is reported", async () => {
  const ended = new SessionGoneError("ended", false);
  assert.equal(await check({ ...ALL, "services/web": gone }, { renew: () => Promise.reject(ended) }), ended);
});

Deno.test("a joined Service keeps its own selector", async () => {
  const plan = { ...PLAN, joined: { selector: { app: "web" } } } as ForwardPlan;
  assert.ok(
    await check({ ...ALL, "services/web": { ...SERVICE, spec: { ...SERVICE.spec, selector: { app: "web" } } } }, { plan }) as number > 8,
  );
});

Deno.test("a Service joined by EndpointSlices may get another selector and target, but no other name for a port", async () => {
  const plan = { ...PLAN, joined: { families: ["IPv4"], headless: false } } as ForwardPlan;
  const served = (name: string) => ({ ...SERVICE, spec: { selector: { app: "new" }, ports: [{ name, port: 80, targetPort: 1 }] } });
  assert.ok(await check({ ...ALL, "services/web": served("") }, { plan }) as number > 8);
  const renamed = await check({ ...ALL, "services/web": served("new") }, { plan });
  assert.match(String(renamed), /SessionBrokenError: Service web has renamed port 80 to "new"$/);
});

Deno.test("a Service that a session can join is no change while it stays as it is", async () => {
  const random = new SeededRandom(20);
  const joinable = Array.from({ length: 200 }, () => randomService(random)).flatMap((service) => {
    const found = {
      service,
      control: undefined,
      all: [],
      jobs: new Map(),
      slices: [],
      maySlice: random.chance(0.5),
      client: undefined,
      now: new Date(),
    };
    const decision = decideOnService(found, { name: "web", port: undefined });
    return decision.do === "join" ? [{ service, plan: { ...PLAN, ports: decision.ports, joined: decision.joined } as ForwardPlan }] : [];
  });
  assert.ok(joinable.length > 100);
  await Promise.all(joinable.map(async ({ service, plan }) => {
    const found = await check({ ...ALL, "services/web": service }, { plan });
    // At least one look at all four objects.
    assert.ok(found as number >= 4, `${found}: ${JSON.stringify(service)}`);
  }));
});

/** A Service as the API server returns it: headless or not, with target ports of all kinds, and with one number for TCP and UDP. */
function randomService(random: SeededRandom): Service {
  const headless = random.chance(0.4);
  const ports = [53, 80, 443, 8443].filter(() => random.chance(0.6)).flatMap((port) => {
    const protocols = random.pick([["TCP"], ["UDP", "TCP"], ["TCP", "UDP"], ["UDP"]] as const);
    return protocols.map((protocol): ServicePort => ({
      name: `${protocol.toLowerCase()}-${port}`,
      protocol,
      port,
      targetPort: random.pick([port, port + 8000, "web", "hook"]),
    }));
  });
  const spec = { selector: { app: "web" }, ports, clusterIP: headless ? "None" : "10.0.0.1" };
  return { metadata: { name: "web", uid: "1" }, spec } as Service;
}

Deno.test("an object is looked at again after an API server that starts has refused it", async () => {
  const answers = [forbidden, forbidden, gone];
  const failure = await check({
    ...ALL,
    get "services/web"() {
      return answers.length > 1 ? answers.shift() : answers[0];
    },
  });
  assert.ok(failure instanceof SessionBrokenError, String(failure));
});

Deno.test("an object that seems deleted does not end the session while the cluster cannot tell whether the session exists", async () => {
  const unreachable = () => Promise.reject(new ApiError("etcd has no leader", { status: 500 }));
  assert.ok(await check({ ...ALL, "services/web": gone }, { renew: unreachable }) as number > 8);
});
