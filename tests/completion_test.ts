import assert from "node:assert/strict";

const MAIN = new URL("../main.ts", import.meta.url).pathname;
const CONTEXTS = ["kind-dev", "kind-prod", "arn:aws:eks:eu-west-1:1:cluster/web"];

/** A folder with a `kurun` that runs from source, and a kubeconfig. */
async function folder(server = "https://127.0.0.1:9"): Promise<{ path: string; kubeconfig: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir({ prefix: "kurun-completion-" });
  await Deno.writeTextFile(`${path}/kurun`, `#!/bin/sh\nexec '${Deno.execPath()}' run -A '${MAIN}' "$@"\n`, { mode: 0o755 });
  const kubeconfig = `${path}/config`;
  const clusters = [{ name: "nowhere", cluster: { server } }];
  const contexts = CONTEXTS.map((name) => ({ name, context: { cluster: "nowhere" } }));
  await Deno.writeTextFile(kubeconfig, JSON.stringify({ "current-context": "kind-dev", contexts, clusters }));
  return { path, kubeconfig, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

async function run(program: string, args: string[], { path, kubeconfig }: { path: string; kubeconfig: string }): Promise<string> {
  const env = { PATH: `${path}:${Deno.env.get("PATH")}`, KUBECONFIG: kubeconfig, TERM: "dumb" };
  const { stdout, stderr } = await new Deno.Command(program, { args, env, stdin: "null", stdout: "piped", stderr: "piped" }).output();
  assert.equal(new TextDecoder().decode(stderr), "");
  return new TextDecoder().decode(stdout);
}

/** What Tab at the end of a line offers, in each shell. */
const shells: Record<string, (line: string) => [string, ...string[]]> = {
  bash: (line) => [
    "bash",
    "--norc",
    "-c",
    `source <(kurun completion bash); COMP_LINE=$1 COMP_POINT=\${#1}; _kurun; printf '%s\\n' "\${COMPREPLY[@]}"`,
    "bash",
    line,
  ],
  fish: (
    line,
  ) => ["fish", "--no-config", "-c", `kurun completion fish | source; complete -C $argv[1] | string replace -r '\\t.*' ''`, line],
};

function isThere(program: string): boolean {
  try {
    return new Deno.Command(program, { args: ["--version"], stdout: "null", stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

for (const [shell, commandFor] of Object.entries(shells)) {
  const offered = async (line: string) => {
    await using place = await folder();
    const [program, ...args] = commandFor(line);
    return (await run(program, args, place)).split("\n").filter((word) => word !== "").sort();
  };
  const shellTest = (name: string, fn: () => Promise<void>) => Deno.test({ name: `${shell} ${name}`, ignore: !isThere(shell), fn });

  shellTest("completes commands", async () => assert.deepEqual(await offered("kurun po"), ["port-forward"]));
  shellTest("completes flags", async () => assert.deepEqual(await offered("kurun port-forward 8080 --servicen"), ["--servicename"]));
  shellTest("completes the words that a flag may have", async () => {
    assert.deepEqual(await offered("kurun port-forward --output "), ["json", "yaml"]);
    assert.deepEqual(await offered("kurun completion z"), ["zsh"]);
  });
  shellTest("completes the kubeconfig's contexts", async () => {
    assert.deepEqual(await offered("kurun port-forward --context kind-"), ["kind-dev", "kind-prod"]);
  });
}

Deno.test({
  name: "bash completes names that hold colons, of which it replaces only what follows the last",
  ignore: !isThere("bash"),
  fn: async () => {
    await using place = await folder();
    const [program, ...args] = shells.bash!("kurun port-forward --context arn:aws:e");
    assert.equal(await run(program, args, place), "eks:eu-west-1:1:cluster/web\n");
  },
});

Deno.test({
  name: "bash completes a value that stands behind =",
  ignore: !isThere("bash"),
  fn: async () => {
    await using place = await folder();
    const [program, ...args] = shells.bash!("kurun port-forward --context=kind-p");
    assert.equal(await run(program, args, place), "kind-prod\n");
  },
});

Deno.test("a cluster that does not answer is not waited for, and nothing is said", async () => {
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using place = await folder(`https://127.0.0.1:${(silent.addr as Deno.NetAddr).port}`);
  const started = performance.now();
  assert.equal(await run(`${place.path}/kurun`, ["__complete", "namespaces", "--", "port-forward", "-n"], place), "");
  const took = performance.now() - started;
  assert.ok(took >= 300 && took < 1_500, `${took} ms`);
});

for (const shell of ["bash", "zsh", "fish"]) {
  Deno.test({
    name: `${shell} reads its script without a complaint`,
    ignore: !isThere(shell),
    fn: async () => {
      await using place = await folder();
      const script = await run(`${place.path}/kurun`, ["completion", shell], place);
      await Deno.writeTextFile(`${place.path}/script`, script);
      assert.equal(await run(shell, ["-n", `${place.path}/script`], place), "");
    },
  });
}
