import assert from "node:assert/strict";
import { JsrRegistry } from "../jsr_registry.ts";
import { KurunProcess } from "./kurun_process.ts";
import { clusterTest } from "./kubernetes.ts";
import { programFolder } from "./run_process.ts";
import { serveHttp } from "./upstreams.ts";

/**
 * An empty folder. The caches of Deno and kurun are empty but for the packages from npm, which cannot be reached inside the cluster's
 * network. The bundler, which Deno downloads at its first use, is missing: the package has the server bundled.
 */
async function emptyFolder(): Promise<{ root: string; cwd: string; env: Record<string, string> }> {
  const caches = Deno.env.get("XDG_CACHE_HOME") || `${Deno.env.get("HOME")}/.cache`;
  const root = await Deno.makeTempDir({ prefix: "kurun-empty-" });
  await Deno.mkdir(`${root}/deno`);
  await Deno.symlink(`${Deno.env.get("DENO_DIR") || `${caches}/deno`}/npm`, `${root}/deno/npm`);
  await Deno.mkdir(`${root}/empty`);
  return { root, cwd: `${root}/empty`, env: { DENO_DIR: `${root}/deno`, XDG_CACHE_HOME: `${root}/cache`, NO_COLOR: "1" } };
}

clusterTest(
  "kurun from JSR forwards and runs as the first command in an empty folder, and again without the registry",
  async (namespace) => {
    const { root, cwd, env } = await emptyFolder();
    await using upstream = serveHttp(() => new Response("from here"));
    const registry = await JsrRegistry.publish();
    const kurun = (command: string, program: string) => {
      const argv = [Deno.execPath(), "run", "-A", "--quiet", "jsr:@kurun/cli"];
      return KurunProcess.start([command, "-n", namespace.name, program], { ...env, JSR_URL: registry.url }, { argv, cwd });
    };
    for (const there of [true, false]) {
      if (!there) await registry[Symbol.asyncDispose]();
      {
        await using _forwarding = await kurun("port-forward", upstream.url).ready();
        assert.equal(await (await fetch(`http://${await namespace.address()}/`)).text(), "from here");
      }
      const run = kurun("run", programFolder("examples/hello"));
      assert.equal(await run.exit, 0, run.stderr);
      assert.match(run.stdout, /^Hello, world, from hello-\w{5}\n$/);
    }
    await assert.rejects(Deno.stat(`${root}/cache/kurun/server`), Deno.errors.NotFound, "the server was bundled here");
    await Deno.remove(root, { recursive: true });
  },
);
