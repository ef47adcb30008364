import assert from "node:assert/strict";
import { KubeconfigFile } from "./kubeconfig_file.ts";
import { kurunCommand, KurunProcess } from "./kurun_process.ts";
import { clusterTest, kubectl, type TestNamespace } from "./kubernetes.ts";

/** kurun answers within half a second or not at all. On a busy machine Tab is pressed again, as a user would. */
const TABS = 10;

/** The first answer that is not empty. */
async function pressTab(offer: () => Promise<string>): Promise<string[]> {
  for (let tab = 0; tab < TABS; tab++) {
    const words = (await offer()).split("\n").filter((word) => word !== "");
    if (words.length > 0) return words.sort();
  }
  return [];
}

/** The candidates after some words, as the shells' scripts ask for them. */
async function complete(words: string[]): Promise<string> {
  const { code, stdout, stderr } = await KurunProcess.run(["__complete", "=", ...words]);
  assert.equal(stderr, "");
  assert.equal(code, 0);
  return stdout;
}

/** Two Services and a Secret. */
async function fill({ name }: TestNamespace): Promise<void> {
  await kubectl(["create", "service", "clusterip", "web", "--tcp=80", "-n", name]);
  await kubectl(["create", "service", "clusterip", "worker", "--tcp=80", "-n", name]);
  await kubectl(["create", "secret", "generic", "web-tls", "--from-literal=a=b", "-n", name]);
}

clusterTest("namespaces, Services and Secrets are completed from the cluster, in the namespace of the command line", async (namespace) => {
  const { name } = namespace;
  await fill(namespace);
  const namespaces = await pressTab(() => complete(["port-forward", "8080", "-n"]));
  assert.ok(namespaces.includes(name) && namespaces.includes("kube-system"), namespaces.join(" "));
  assert.deepEqual(await pressTab(() => complete(["port-forward", "-l", "a=b", "-v", "-n", name, "--servicename"])), [
    "web",
    "worker",
  ]);
  assert.deepEqual(await pressTab(() => complete(["port-forward", `--namespace=${name}`, "--tlssecret"])), ["web-tls"]);
});

clusterTest("without -n, names come from the context's namespace", async (namespace) => {
  await fill(namespace);
  await using kubeconfig = await KubeconfigFile.create((config) => void (config.contexts[0]!.context["namespace"] = namespace.name));
  const words = ["port-forward", "--kubeconfig", kubeconfig.path, "--servicename"];
  assert.deepEqual(await pressTab(() => complete(words)), ["web", "worker"]);
});

clusterTest("a user without the right to list gets no candidates, and no error on the command line", async (namespace) => {
  await fill(namespace);
  await using kubeconfig = await KubeconfigFile.create((config) => void (config.users[0]!.user["as"] = "nobody"));
  for (const flag of ["--namespace", "--servicename", "--tlssecret"]) {
    assert.equal(await complete(["port-forward", "-n", namespace.name, "--kubeconfig", kubeconfig.path, flag]), "");
  }
  const { stderr } = await KurunProcess.run(["version", "--client=false", "--kubeconfig", kubeconfig.path]);
  assert.equal(stderr, "", "that kubeconfig works where nothing is listed");
});

clusterTest("Tab in bash offers the Services of the namespace on the command line", async (namespace) => {
  await fill(namespace);
  const folder = await Deno.makeTempDir({ prefix: "kurun-bash-" });
  const command = kurunCommand().map((word) => `'${word}'`).join(" ");
  await Deno.writeTextFile(`${folder}/kurun`, `#!/bin/sh\nexec ${command} "$@"\n`, { mode: 0o755 });
  const script = 'source <(kurun completion bash); COMP_LINE=$1 COMP_POINT=${#1}; _kurun; printf "%s\\n" "${COMPREPLY[@]}"';
  const offered = await pressTab(async () => {
    const { stdout, stderr } = await new Deno.Command("bash", {
      args: ["--norc", "-c", script, "bash", `kurun port-forward 8080 -n ${namespace.name} --servicename w`],
      env: { PATH: `${folder}:${Deno.env.get("PATH")}`, TERM: "dumb" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).output();
    assert.equal(new TextDecoder().decode(stderr), "");
    return new TextDecoder().decode(stdout);
  });
  await Deno.remove(folder, { recursive: true });
  assert.deepEqual(offered, ["web", "worker"]);
});
