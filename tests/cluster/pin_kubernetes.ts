/**
 * Writes go.mod and go.sum of a Kubernetes that the test cluster is built from:
 *
 *     deno run -A tests/cluster/pin_kubernetes.ts 1.37
 *
 * Kubernetes' own go.mod finds its parts (k8s.io/api and so on) in its repository. They are modules too, each with the same version.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { runCommand } from "./commands.ts";
import { modulesFolder } from "./programs.ts";
import { chosenVariant, KUBERNETES_VERSIONS } from "./variant.ts";

/** Versions of parts that the module proxy lacks, and the last one that it has with the same source. */
const ABSENT: Record<string, string> = { "k8s.io/kube-proxy v0.31.13": "v0.31.11" };
/** The modules that main.go imports from. */
const OTHERS = ["github.com/spf13/cobra", "go.etcd.io/etcd/server/v3"];

/** Makes the text of go.mod, without the modules that `go mod tidy` adds. @param own Kubernetes' own go.mod */
function modules(version: string, own: string): string {
  const part = `v0${version.slice(1)}`;
  const found = (pattern: RegExp) => pattern.exec(own)?.[1] ?? "";
  // Kubernetes imports etcd's client, which has the server's version.
  const others = OTHERS.map((name) => `${name} ${found(new RegExp(`${name.replace("/server/", "/client/")} (v\\S+)`))}`);
  const parts = [...own.matchAll(/^\s*(k8s\.io\/(?!sample-)\S+) => \.\/staging/gm)].map(([, name]) =>
    `${name} => ${name} ${ABSENT[`${name} ${part}`] ?? part}`
  );
  const required = [...others, `k8s.io/component-base ${part}`, `k8s.io/kubectl ${part}`, `k8s.io/kubernetes v${version}`];
  const block = (name: string, lines: readonly string[]) => `\n${name} (\n${lines.map((line) => `\t${line}\n`).join("")})\n`;
  return `module kurun.dev/tests/cluster/kubernetes\n\n${found(/^(go \S+)/m)}\n${block("require", required)}${block("replace", parts)}`;
}

async function go(directory: string, ...args: string[]): Promise<string> {
  const { code, stdout, said } = await runCommand(["go", ...args], {
    cwd: directory,
    env: { GOTOOLCHAIN: "auto", GOFLAGS: "", GOWORK: "off" },
  });
  if (code !== 0) throw new Error(`go ${args.join(" ")}:\n${said}`);
  return stdout;
}

if (import.meta.main) {
  const { kubernetes } = chosenVariant((name) => name === "KURUN_TEST_KUBERNETES" ? Deno.args[0] : undefined);
  const version = KUBERNETES_VERSIONS[kubernetes];
  const directory = fileURLToPath(new URL("./programs/kubernetes", import.meta.url));
  const file = `${modulesFolder(kubernetes)}go.mod`;
  await Deno.mkdir(`${directory}/${modulesFolder(kubernetes)}`, { recursive: true });
  const { GoMod } = JSON.parse(await go("/", "mod", "download", "-json", `k8s.io/kubernetes@v${version}`));
  await Deno.writeTextFile(`${directory}/${file}`, modules(version, await Deno.readTextFile(GoMod)));
  await go(directory, "mod", "tidy", `-modfile=${file}`);
}
