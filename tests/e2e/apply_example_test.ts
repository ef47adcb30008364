/**
 * The example of `kurun apply`, examples/apply, from its first day to its last: from a folder, standard input and a URL, by containerd and
 * by a registry.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type Ended, Files, kurun, kurunReading } from "./apply_runs.ts";
import { clusterTest, kubectl, type ListedObject, TestNamespace } from "./kubernetes.ts";
import { KurunProcess } from "./kurun_process.ts";
import { REGISTRY_PATH, REGISTRY_USER, TestRegistry } from "./registry.ts";

const EXAMPLE = new URL("../../examples/apply", import.meta.url).pathname;
const SET = ["--prune", "--applyset", "shop"];
/** How long an apply that changes nothing may take, on a machine that does much else. */
const QUICK_MS = 5_000;

/** The example, as a test has it. */
interface Shop extends AsyncDisposable {
  readonly files: Files;
  /** The group of its own kind, which is of this test alone, since definitions are the whole cluster's. */
  readonly group: string;
  /** What an apply of all of it prints, sorted. */
  readonly applied: readonly string[];
}

/** A copy of the example that differs from all others: nothing that is built of it can be in the cluster before. */
async function copyOfExample(): Promise<Shop> {
  const files = await Files.of({});
  const { success } = await new Deno.Command("cp", { args: ["-r", `${EXAMPLE}/.`, files.folder] }).output();
  assert.ok(success);
  const mark = crypto.randomUUID().slice(0, 8);
  await files.write("orders/mark.go", `package orders\n\nvar Mark = "${mark}"\n\nfunc init() { println(Mark) }\n`);
  await Deno.writeTextFile(files.path("worker/main.ts"), `\nconsole.log("${mark}");\n`, { append: true });
  const group = `shop-${mark}.kurun.example`;
  for (const name of ["nightly.yaml", "nightly_crd.yaml"]) await edit(files, `k8s/${name}`, "shop.kurun.example", group);
  return {
    files,
    group,
    applied: [
      "cronjob.batch/report",
      `customresourcedefinition.apiextensions.k8s.io/nightlies.${group}`,
      "deployment.apps/api",
      "deployment.apps/worker",
      `nightly.${group}/report`,
      "service/api",
    ].map((name) => `${name} serverside-applied`),
    async [Symbol.asyncDispose]() {
      await kubectl(["delete", "crd", `nightlies.${group}`, "--ignore-not-found"]);
      await files[Symbol.asyncDispose]();
    },
  };
}

async function edit(files: Files, name: string, from: string, to: string): Promise<void> {
  const text = await Deno.readTextFile(files.path(name));
  assert.ok(text.includes(from), name);
  await files.write(name, text.replaceAll(from, to));
}

/** All manifests in one text, without these files. */
async function manifests({ files }: Shop, ...without: string[]): Promise<string> {
  const texts: string[] = [];
  for (const name of ["api.yaml", "nightly.yaml", "nightly_crd.yaml", "report.yaml", "worker.yaml"]) {
    if (!without.includes(name)) texts.push(await Deno.readTextFile(files.path(`k8s/${name}`)));
  }
  return texts.join("---\n");
}

/** The lines of objects that it applied or removed, sorted. */
function lines({ code, stdout, stderr }: Ended): string[] {
  assert.equal(code, 0, `${stdout}${stderr}`);
  return stdout.trim().split("\n").filter((line) => / (serverside-applied|pruned|deleted from .*|deleted)$/.test(line)).sort();
}

/** The names of the programs that were built. */
function built({ stderr }: Ended): string[] {
  return [...stderr.matchAll(/^Built \S*?(\w+) \(/gm)].map(([, name = ""]) => name).sort();
}

/** The names of the images that were sent. */
function sent({ stderr }: Ended): string[] {
  return [...stderr.matchAll(/^(?:Bringing|Pushed) (.*) to /gm)].flatMap(([, names = ""]) =>
    names.split(", ").map((name) => name.slice(name.lastIndexOf("/") + 1))
  ).sort();
}

/** What somebody asked for and what runs of it: each object without what the cluster says of it. */
async function wanted({ name }: TestNamespace, { group }: Shop): Promise<Map<string, string>> {
  const kinds = `deployments,services,cronjobs,nightlies.${group},crd/nightlies.${group}`;
  const found = new Map<string, string>();
  for (const kind of kinds.split(",")) {
    const got = JSON.parse(await kubectl(["get", kind, "-n", name, "-o", "json"]));
    for (const { status: _, ...object } of (got.items ?? [got]) as ListedObject[]) {
      const { resourceVersion: _, managedFields, ...metadata } = object.metadata as ListedObject["metadata"] & Record<string, unknown>;
      // With when kurun last changed something.
      const ours = (managedFields as { manager: string }[] | undefined)?.filter(({ manager }) => manager === "kurun");
      found.set(`${object.kind}/${metadata.name}`, JSON.stringify([object, metadata, ours].map(withoutManagers)));
    }
  }
  return found;
}
