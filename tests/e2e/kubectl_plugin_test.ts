import assert from "node:assert/strict";
import { VERSION } from "../../cli/command/version.ts";
import { kurunCommand } from "./kurun_process.ts";
import { clusterTest } from "./kubernetes.ts";
import { serveHttp } from "./upstreams.ts";

/** A folder with kurun as `kubectl-kurun`, and a kubectl that has this folder first in its PATH. */
class PluginFolder implements AsyncDisposable {
  private constructor(readonly path: string) {}

  static async create(): Promise<PluginFolder> {
    const path = await Deno.makeTempDir({ prefix: "kurun-plugin-" });
    const command = kurunCommand().map((word) => `'${word}'`).join(" ");
    await Deno.writeTextFile(`${path}/kubectl-kurun`, `#!/bin/bash\nexec -a kubectl-kurun ${command} "$@"\n`, { mode: 0o755 });
    return new PluginFolder(path);
  }

  kubectl(args: string[]): Deno.Command {
    const env = { PATH: `${this.path}:${Deno.env.get("PATH")}`, NO_COLOR: "1" };
    return new Deno.Command("kubectl", { args, env, stdin: "null", stdout: "piped", stderr: "piped" });
  }

  /** Runs `kubectl …` to its end. */
  async run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    const { code, stdout, stderr } = await this.kubectl(args).output();
    const text = new TextDecoder();
    return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

clusterTest("kubectl kurun passes all arguments to the plugin and returns its exit code", async () => {
  await using folder = await PluginFolder.create();
  const listed = await folder.run("plugin", "list");
  assert.match(listed.stdout, new RegExp(`^${folder.path}/kubectl-kurun$`, "m"));
  assert.doesNotMatch(listed.stderr, /kubectl-kurun/);

  const { code, stdout, stderr } = await folder.run("kurun", "version", "--client", "-o", "json");
  assert.equal(stderr, "");
  assert.equal(code, 0);
  const versions = JSON.parse(stdout);
  assert.deepEqual(Object.keys(versions), ["clientVersion"]);
  assert.equal(versions.clientVersion.version, VERSION);

  const both = await folder.run("kurun", "version", "--client=false");
  const cluster = JSON.parse((await folder.run("version", "-o", "json")).stdout).serverVersion;
  assert.match(both.stdout, new RegExp(`^kurun ${VERSION}, .*\nKubernetes ${cluster.gitVersion}, ${cluster.platform}\n$`));

  const wrong = await folder.run("kurun", "port-forward", "8080", "--serviceport", "0");
  assert.equal(wrong.stderr, "error: --serviceport must be 1 to 65535, got 0\n");
  assert.equal(wrong.code, 2);
});

clusterTest("the help of kubectl kurun shows that name", async () => {
  await using folder = await PluginFolder.create();
  const { stdout } = await folder.run("kurun", "port-forward", "--help");
  assert.match(stdout, /^Usage: kubectl kurun port-forward/);
});

clusterTest("Ctrl+C of kubectl kurun removes everything", async (namespace) => {
  await using folder = await PluginFolder.create();
  await using upstream = serveHttp(() => new Response("from here"));
  const child = folder.kubectl(["kurun", "port-forward", upstream.url, "-n", namespace.name]).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const said = new Response(child.stderr).text();
  let stdout = "";
  while (!stdout.includes("\n")) {
    const { value, done } = await lines.read();
    if (done) assert.fail(`kubectl kurun ended: ${await said}`);
    stdout += value;
  }
  assert.equal(stdout, `Forwarding http://kurun.${namespace.name}.svc:80 -> ${upstream.url}\n`);
  assert.equal(await (await fetch(`http://${await namespace.address()}/`)).text(), "from here");
  child.kill("SIGINT");
  assert.equal((await child.status).code, 0);
  await lines.cancel();
  assert.match(await said, /^If kurun loses its connection, [^\n]*\n$/);
  assert.deepEqual(await namespace.left(), []);
});
