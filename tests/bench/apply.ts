import { KurunProcess } from "../e2e/kurun_process.ts";
import { kubectl, type TestNamespace } from "../e2e/kubernetes.ts";
import { median, type Row, seconds } from "./table.ts";

const EXAMPLE = new URL("../../examples/apply", import.meta.url).pathname;
const MANIFESTS = 20;
const SOURCES = ["one", "two", "three", "four", "five"];

/**
 * `kurun apply` with containerd: 20 manifests with 5 references and no change, and one changed Go file until the new Pod is ready. The first
 * build is not measured, because it depends on the compiler's cache only.
 *
 * @throws if kurun fails, or builds or sends what has not changed
 */
export async function applyRows(namespace: TestNamespace, times: number): Promise<Row[]> {
  const folder = await Deno.makeTempDir({ prefix: "kurun-bench-" });
  try {
    const { success } = await new Deno.Command("cp", { args: ["-r", `${EXAMPLE}/.`, folder] }).output();
    if (!success) throw new Error("the example cannot be copied");
    return [await unchangedRow(namespace, folder, times), await changedRow(namespace, folder, times)];
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function unchangedRow(namespace: TestNamespace, folder: string, times: number): Promise<Row> {
  await Deno.mkdir(`${folder}/many`);
  for (const source of SOURCES) await new Deno.Command("cp", { args: ["-r", `${folder}/api`, `${folder}/${source}`] }).output();
  for (let at = 0; at < MANIFESTS; at++) {
    await Deno.writeTextFile(`${folder}/many/${at}.yaml`, deployment(`many-${at}`, SOURCES[at % SOURCES.length] as string));
  }
  const args = ["apply", "-f", `${folder}/many`, "-n", namespace.name];
  await timed(args);
  const taken: number[] = [];
  for (let i = 0; i < times; i++) {
    const { ms, stderr } = await timed(args);
    if (/Built|Loading/.test(stderr)) throw new Error(`it built or sent what had not changed: ${stderr}`);
    taken.push(ms);
  }
  return { what: `apply: ${MANIFESTS} manifests with ${SOURCES.length} references, nothing changed`, through: seconds(median(taken)) };
}

async function changedRow(namespace: TestNamespace, folder: string, times: number): Promise<Row> {
  const args = ["apply", "-f", `${folder}/k8s/api.yaml`, "-n", namespace.name, "--wait"];
  await timed(args);
  const main = await Deno.readTextFile(`${folder}/api/main.go`);
  const taken: number[] = [];
  for (let i = 0; i < times; i++) {
    // A new string each time, so that no cache has it.
    await Deno.writeTextFile(`${folder}/api/main.go`, main.replace("listening on", `${crypto.randomUUID()} listens on`));
    const { ms, stderr } = await timed(args);
    if (!/^Built .*api .*\n(?:.*\n)*Loading api /m.test(stderr)) throw new Error(`it built or sent nothing: ${stderr}`);
    taken.push(ms);
  }
  const running = await kubectl(["get", "deployment", "api", "-n", namespace.name, "-o", "jsonpath={.status.availableReplicas}"]);
  if (running !== "1") throw new Error(`the new Pod does not run: ${running}`);
  return { what: "apply: one Go file changed, to the new Pod ready, by containerd", through: seconds(median(taken)) };
}

async function timed(args: string[]): Promise<{ ms: number; stderr: string }> {
  const began = performance.now();
  const { code, stderr } = await KurunProcess.run(args);
  if (code !== 0) throw new Error(stderr);
  return { ms: performance.now() - began, stderr };
}

/** Without Pods: the measurement ends before one would start. */
function deployment(name: string, source: string): string {
  return `apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name} }
spec:
  replicas: 0
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec: { containers: [{ name: main, image: "kurun://../${source}" }] }
`;
}
