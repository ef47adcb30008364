/**
 * Webhooks developed with one command: those of the operator in examples/guestbook, which is laid out as kubebuilder does it, and one in
 * TypeScript.
 *
 * @module
 */
import assert from "node:assert/strict";
import { certificateAuthority } from "../certificate_authority.ts";
import { guestbookProgram } from "../guestbook_program.ts";
import { Files, kurunReading } from "./apply_runs.ts";
import { KurunProcess } from "./kurun_process.ts";
import { clusterTest, kubectl, logOf, printFigure, type TestNamespace } from "./kubernetes.ts";

const EXAMPLES = new URL("../../examples/", import.meta.url).pathname;
const GUESTBOOK = `${EXAMPLES}guestbook`;
const HOOKS = `${GUESTBOOK}/config/webhook/manifests.yaml`;
const DEFINITION = "guestbooks.kurun.example";
/** A pause in a debugger: longer than the 10 s that the operator's own manifests allow. */
const PAUSE_MS = 12_000;

/** Creates a Guestbook. @returns its spec @throws with kubectl's output if it is refused */
async function createBook(namespace: string, name: string, { dryRun = false, spec = {} } = {}): Promise<Record<string, unknown>> {
  const book = { apiVersion: "kurun.example/v1", kind: "Guestbook", metadata: { name, namespace }, spec };
  const flags = ["-f", "-", "-o", "json", ...dryRun ? ["--dry-run=server"] : []];
  return JSON.parse(await kubectl(["create", ...flags], JSON.stringify(book))).spec;
}

/** Waits until the program of a kurun is asked about a Guestbook. @returns the seconds since `started` */
async function firstReview(kurun: KurunProcess, namespace: string, started: number): Promise<number> {
  let ended = false;
  kurun.exit.then(() => ended = true);
  for (let n = 0; !ended && performance.now() - started < 60_000; n++) {
    await createBook(namespace, `first-${n}`, { dryRun: true });
    if (/Defaulting.*first-/.test(kurun.stdout + kurun.stderr)) return (performance.now() - started) / 1000;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`no review in ${Math.round(performance.now() - started)} ms:\n${kurun.stdout}${kurun.stderr}`);
}

/** Stops a program as a breakpoint does, while a Guestbook is created. @returns the Guestbook's spec */
async function breakpoint(program: string, namespace: string, meanwhile?: () => Promise<void>): Promise<Record<string, unknown>> {
  const pid = await processOf(program);
  Deno.kill(pid, "SIGSTOP");
  try {
    const started = performance.now();
    const creating = createBook(namespace, "debugged");
    await Promise.all([meanwhile?.(), new Promise((resolve) => setTimeout(resolve, PAUSE_MS))]);
    Deno.kill(pid, "SIGCONT");
    const spec = await creating;
    assert.ok(performance.now() - started >= PAUSE_MS);
    return spec;
  } finally {
    Deno.kill(pid, "SIGCONT");
  }
}

/** The process that runs a program, rather than one that has its path among its arguments. */
async function processOf(program: string): Promise<number> {
  for await (const { name } of Deno.readDir("/proc")) {
    if (/^\d+$/.test(name) && await Deno.readLink(`/proc/${name}/exe`).catch(() => "") === program) return Number(name);
  }
  throw new Error(`${program} does not run`);
}

/** Removes what is not in the test's namespace. */
function removedAtEnd(...names: string[]): AsyncDisposable {
  return { [Symbol.asyncDispose]: () => kubectl(["delete", "--ignore-not-found", ...names]).then(() => {}) };
}

/** Objects as they are stored, without what each write changes. */
async function storedObjects(...names: string[]): Promise<string> {
  const got = JSON.parse(await kubectl(["get", ...names, "-o", "json"]));
  const items = got.items ?? [got];
  for (const { metadata } of items) for (const key of ["resourceVersion", "generation"]) delete metadata[key];
  return JSON.stringify(items, null, 1);
}

const DEFAULTS = { greeting: "Welcome!", maxEntries: 100 };

clusterTest("one command serves an operator's webhooks that are not in the cluster, with a breakpoint of 12 s", async (namespace) => {
  const program = await guestbookProgram();
  await using _definition = removedAtEnd(`crd/${DEFINITION}`);
  await kubectl(["apply", "-f", `${GUESTBOOK}/config/crd/bases`]);
  await kubectl(["wait", "--for=condition=Established", `crd/${DEFINITION}`]);
  assert.deepEqual(await createBook(namespace.name, "nobody"), {});
  const before = await storedObjects(`crd/${DEFINITION}`);
  await using files = await Files.of({ "all.yaml": await kubectl(["kustomize", `${GUESTBOOK}/config/default`]) });
  const started = performance.now();
  await using kurun = KurunProcess.start(["webhook", "9443", "-f", files.path("all.yaml"), "-n", namespace.name, "--", program]);
  printFigure(`operator: ${(await firstReview(kurun, namespace.name, started)).toFixed(1)} s from Enter to the first review`);
  assert.deepEqual(await breakpoint(program, namespace.name), DEFAULTS);
  await assert.rejects(
    createBook(namespace.name, "large", { spec: { maxEntries: 2000 } }),
    /admission webhook "vguestbook-v1\.kb\.io" denied the request: spec\.maxEntries must be 1 to 1000, got 2000/,
  );
  const converted = JSON.parse(await kubectl(["get", `guestbooks.v1alpha1.kurun.example/debugged`, "-n", namespace.name, "-o", "json"]));
  assert.deepEqual(converted.spec, { welcome: "Welcome!", limit: 100 });
  // The operator's controller works too: it is a normal process with the user's kubeconfig.
  await kubectl(["wait", "--for=jsonpath={.status.open}=true", "guestbook/debugged", "-n", namespace.name, "--timeout=10s"]);
  kurun.signal("SIGINT");
  assert.equal(await kurun.ended(), 0, kurun.stderr);
  await assert.rejects(processOf(program));
  assert.deepEqual(await createBook(namespace.name, "nobody-again"), {});
  assert.equal(await storedObjects(`crd/${DEFINITION}`), before);
  assert.deepEqual(await namespace.leftOfKurun(), []);
  const session = /kurun-webhook-\S*-kurun-\w{5}/.exec(kurun.stderr + kurun.stdout)?.[0] ?? "";
  const kinds = "mutatingwebhookconfigurations,validatingwebhookconfigurations";
  assert.equal(await kubectl(["get", kinds, "-l", `kurun.dev/session=${session}`, "-o", "name"]), "");
});

/** Deploys the operator as its users do, with the certificate and the CA bundles that cert-manager would make. */
async function deployOperator(): Promise<AsyncDisposable> {
  const system = "guestbook-system";
  const manifests = await kubectl(["kustomize", `${GUESTBOOK}/config/default`]);
  const remove = async () => {
    await kubectl(["delete", "--ignore-not-found", "-f", "-"], manifests);
  };
  await remove();
  const ca = await certificateAuthority({ commonName: "test", days: 1, now: new Date() });
  const { certPem, keyPem } = await ca.issue({ names: [`guestbook-webhook-service.${system}.svc`], days: 1, now: new Date() });
  const metadata = { name: "webhook-server-cert", namespace: system };
  const stringData = { "tls.crt": certPem, "tls.key": keyPem };
  await kubectl(["create", "namespace", system]);
  await kubectl(
    ["create", "-f", "-"],
    JSON.stringify({ apiVersion: "v1", kind: "Secret", type: "kubernetes.io/tls", metadata, stringData }),
  );
  const { code, stderr } = await kurunReading(manifests, ["apply", "-f", "-", "--wait"], GUESTBOOK);
  assert.equal(code, 0, stderr);
  const value = btoa(ca.certPem);
  for (
    const [name, path] of [
      ["mutatingwebhookconfiguration/guestbook-mutating-webhook-configuration", "/webhooks/0"],
      ["validatingwebhookconfiguration/guestbook-validating-webhook-configuration", "/webhooks/0"],
      [`crd/${DEFINITION}`, "/spec/conversion/webhook"],
    ] as const
  ) {
    const patch = [{ op: "add", path: `${path}/clientConfig/caBundle`, value }];
    await kubectl(["patch", name, "--type=json", "-p", JSON.stringify(patch)]);
  }
  return { [Symbol.asyncDispose]: remove };
}

/** What the operator has in the cluster besides its Pod, as it is stored. */
function stored(): Promise<string> {
  return storedObjects(
    ...["mutating", "validating"].map((kind) => `${kind}webhookconfiguration/guestbook-${kind}-webhook-configuration`),
    `crd/${DEFINITION}`,
  );
}

clusterTest("one command serves an operator's webhooks for one namespace, and the original all others", async (namespace) => {
  const program = await guestbookProgram();
  await using _original = await deployOperator();
  assert.deepEqual(await createBook(namespace.name, "before"), DEFAULTS);
  const before = await stored();
  const served = ["-f", HOOKS, "--config", DEFINITION, "--only", `namespace=${namespace.name}`];
  const args = ["webhook", "9443", ...served, "-n", namespace.name, "-v", "--", program];
  const started = performance.now();
  await using kurun = KurunProcess.start(args);
  printFigure(
    `operator beside its original: ${(await firstReview(kurun, namespace.name, started)).toFixed(1)} s from Enter to the first review`,
  );
  const spec = await breakpoint(program, namespace.name, async () => {
    assert.deepEqual(await createBook("default", "others", { dryRun: true }), DEFAULTS);
  });
  assert.deepEqual(spec, DEFAULTS);
  await kubectl(["get", "guestbooks.v1alpha1.kurun.example/debugged", "-n", namespace.name]);
  await kurun.waitFor(/ convert 1 guestbook.* to v1alpha1/, 5_000);
  kurun.signal("SIGINT");
  assert.equal(await kurun.ended(), 0, kurun.stderr);
  assert.deepEqual(await createBook(namespace.name, "after"), DEFAULTS);
  const log = await logOf({ name: "guestbook-system" } as TestNamespace, "deploy/guestbook-controller-manager", /Defaulting.*after/);
  const asked = [...log.matchAll(/Defaulting\t\{"name": "([\w-]+)"/g)].map(([, name]) => name);
  assert.deepEqual(asked.filter((name) => !name?.startsWith("first-")), ["before", "others", "after"]);
  const here = [...`${kurun.stdout}${kurun.stderr}`.matchAll(/Defaulting\t\{"name": "([\w-]+)"/g)].map(([, name]) => name);
  assert.deepEqual(here.filter((name) => !name?.startsWith("first-")), ["debugged"]);
  assert.equal(await stored(), before);
});

clusterTest("one command serves a webhook in TypeScript over plain HTTP, without any certificate", async (namespace) => {
  const port = 18_080;
  const program = [Deno.execPath(), "run", "-A", `${EXAMPLES}annotate/server.ts`, "--port", `${port}`];
  const started = performance.now();
  const hooks = ["-f", `${EXAMPLES}annotate/webhook.yaml`, "--only", `namespace=${namespace.name}`];
  const args = ["webhook", `http://localhost:${port}`, ...hooks, "-n", namespace.name, "--", ...program];
  await using kurun = KurunProcess.start(args);
  const create = async () => {
    const service = await kubectl([
      "create",
      "service",
      "clusterip",
      "web",
      "--tcp=80",
      "--dry-run=server",
      "-o",
      "json",
      "-n",
      namespace.name,
    ]);
    return JSON.parse(service).metadata.annotations?.["always-annotate-this"];
  };
  while (await create() !== "true") {
    if (performance.now() - started > 60_000) throw new Error(`no review within 60 s:\n${kurun.stdout}${kurun.stderr}`);
  }
  printFigure(`TypeScript: ${((performance.now() - started) / 1000).toFixed(1)} s from Enter to the first review`);
  kurun.signal("SIGINT");
  // That of Deno, which ends on Ctrl+C as programs without a handler do.
  assert.equal(await kurun.ended(), 130, kurun.stderr);
  assert.equal(await create(), undefined);
});
