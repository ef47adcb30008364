/**
 * `kurun resolve` over manifests of other projects: the definitions of cert-manager and the Gateway API, and Helm's output. They come from
 * Go modules, which are downloaded once.
 *
 * @module
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { findReferences, spliceReferences } from "../../k8s/manifests/manifest_references.ts";
import { readManifest } from "../../k8s/manifests/manifest_text.ts";
import { findGo } from "../../tests/cluster/go.ts";
import { jsonValues } from "../builders/go_command.ts";
import type { Context } from "../command/context.ts";
import { resolveCommand } from "./resolve_command.ts";

/** Modules, their folders with manifests, and the least number of manifests. */
const MODULES = [
  { module: "sigs.k8s.io/gateway-api@v1.3.0", folders: ["config/crd/standard", "config/crd/experimental"], name: /_.*\.yaml$/, count: 16 },
  { module: "github.com/cert-manager/cert-manager@v1.18.2", folders: ["deploy/crds"], name: /\.yaml$/, count: 6 },
  // Helm's tests contain its output.
  {
    module: "helm.sh/helm/v3@v3.18.4",
    folders: ["cmd/helm/testdata/output"],
    name: /^(?:template(?:-set|-with-crds|-subchart-cm|-name-template|-values-files)?|object-order|get-hooks)\.txt$/,
    count: 8,
  },
] as const;

/** The time limit for downloading, in milliseconds. */
const FETCH_MS = 180_000;

/** The modules' folders in the same order, or why they are not available. */
async function fetchModules(): Promise<{ folders: string[] } | { why: string }> {
  let program: string;
  try {
    ({ program } = await findGo());
  } catch (error) {
    return { why: (error as Error).message };
  }
  // Outside any module, whose go.mod would count.
  const cwd = await Deno.makeTempDir();
  try {
    const args = ["mod", "download", "-json", ...MODULES.map(({ module }) => module)];
    const env = { GOWORK: "off", GOFLAGS: "" };
    const { stdout } = await new Deno.Command(program, { args, cwd, env, stderr: "null", signal: AbortSignal.timeout(FETCH_MS) }).output();
    const told = [...jsonValues(new TextDecoder().decode(stdout))] as { Dir?: string; Error?: string }[];
    const folders = told.flatMap(({ Dir }) => Dir ?? []);
    return folders.length === MODULES.length ? { folders } : { why: told.find((one) => one.Error)?.Error ?? "go mod download failed" };
  } finally {
    await Deno.remove(cwd);
  }
}

const fetched = await fetchModules();

/** The test is skipped if the modules are not available; the runner counts and names skipped tests. */
function realTest(at: number, test: (files: string[]) => Promise<void>): void {
  const { module, folders, name, count } = MODULES[at]!;
  const title = `resolve changes nothing in the manifests of ${module}, but a reference`;
  if ("why" in fetched) return Deno.test({ name: `${title} (not tried: ${fetched.why})`, ignore: true, fn() {} });
  Deno.test(title, async () => {
    const files = folders.flatMap((folder) => {
      const path = `${fetched.folders[at]}/${folder}`;
      return [...Deno.readDirSync(path)].filter((entry) => name.test(entry.name)).map((entry) => `${path}/${entry.name}`);
    });
    assert.ok(files.length >= count, `${files.length} files`);
    await test(files);
  });
}

/** What `kurun resolve -f FILE` prints. */
async function resolve(file: string): Promise<string> {
  let printed = "";
  const context = {
    data: (text: string) => printed += text,
    stdout: (text: string) => printed += text,
    stderr() {},
    env: () => undefined,
    interrupted: new AbortController().signal,
  };
  await resolveCommand(context as unknown as Context).parseAsync(["-f", file], { from: "user" });
  return printed;
}

const sha256 = (text: string | Uint8Array) => createHash("sha256").update(text).digest("hex");
const IMAGE = "registry.example:5000/team/app@sha256:0123456789abcdef";

for (const at of MODULES.keys()) {
  realTest(at, async (files) => {
    for (const file of files) {
      assert.equal(sha256(await resolve(file)), sha256(await Deno.readFile(file)), file);
      const text = await Deno.readTextFile(file);
      // The last plain value of each file becomes a reference.
      const [value] = [...text.matchAll(/^ +[A-Za-z]+: ([a-z]\w*)$/gm)].slice(-1);
      if (value === undefined) continue;
      const start = value.index + value[0].lastIndexOf(" ") + 1;
      const [before, after] = [text.slice(0, start), text.slice(start + value[1]!.length)];
      const changed = `${before}kurun://./app${after}`;
      const { references } = findReferences(readManifest(changed));
      assert.deepEqual(references.map(({ path }) => path), ["./app"], file);
      assert.equal(spliceReferences(changed, references, [IMAGE]), before + IMAGE + after, file);
    }
  });
}
