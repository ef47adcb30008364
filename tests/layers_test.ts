import assert from "node:assert/strict";

/** Which folder may import from which; the root is main.ts and deno.json. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  "main.ts": ["cli"],
  cli: ["cli", "k8s", "tunnel", "server", "deno.json"],
  k8s: ["k8s", "tunnel"],
  server: ["server", "tunnel"],
  tunnel: ["tunnel"],
};
/** The only files that may import a package. */
const PACKAGE_USERS: Readonly<Record<string, readonly string[]>> = {
  "@kubernetes/client-node/config_types": ["k8s/kubeconfig/kubeconfig.ts"],
  "@kubernetes/client-node/models": ["k8s/api/kubernetes_objects.ts"],
  ws: ["k8s/session/dial/tunnel_dial.ts", "server/control/control_port.ts"],
  commander: ["cli/*"],
  yaml: ["cli/*", "k8s/*"],
};

interface SourceFile {
  readonly path: string;
  readonly text: string;
  /** What its import and export lines name. */
  readonly imports: readonly string[];
}

async function sources(): Promise<SourceFile[]> {
  const root = new URL("../", import.meta.url);
  const files: SourceFile[] = [];
  const read = async (path: string) => {
    const text = await Deno.readTextFile(new URL(path, root));
    const imports = [...text.matchAll(/^(?:import|export)\s[^;]*?from\s+"([^"]+)"|^import\s+"([^"]+)"|\bimport\("([^"]+)"\)/gm)];
    files.push({ path, text, imports: imports.map(([, a, b, c]) => a ?? b ?? c ?? "") });
  };
  const readFolder = async (folder: string) => {
    for await (const { name, isDirectory } of Deno.readDir(new URL(folder, root))) {
      if (isDirectory) await readFolder(`${folder}/${name}`);
      else if (name.endsWith(".ts") && !name.endsWith("_test.ts")) await read(`${folder}/${name}`);
    }
  };
  for (const folder of ["cli", "k8s", "server", "tunnel"]) await readFolder(folder);
  await read("main.ts");
  return files;
}

/** The folder (or the root's file) that a path or an import leads to. */
function layer(path: string): string {
  return path.split("/")[0] as string;
}

function resolve(path: string, specifier: string): string {
  return new URL(specifier, `file:///${path}`).pathname.slice(1);
}

Deno.test("imports go one way: main to cli to k8s, tunnel and server, and these to tunnel alone", async () => {
  const wrong: string[] = [];
  for (const { path, imports } of await sources()) {
    for (const specifier of imports.filter((name) => name.startsWith("."))) {
      const target = layer(resolve(path, specifier));
      if (!MAY_IMPORT[layer(path)]?.includes(target)) wrong.push(`${path} imports ${specifier}`);
    }
  }
  assert.deepEqual(wrong, []);
});

Deno.test("each package has its users and no others", async () => {
  const wrong: string[] = [];
  for (const { path, imports } of await sources()) {
    for (const name of imports.filter((specifier) => !specifier.startsWith(".") && !specifier.startsWith("node:"))) {
      const users = PACKAGE_USERS[name] ?? [];
      if (!users.includes(path) && !users.includes(`${layer(path)}/*`)) wrong.push(`${path} imports ${name}`);
    }
  }
  assert.deepEqual(wrong, []);
});

Deno.test("the tunnel knows no runtime: neither Deno nor a module of node at run time", async () => {
  for (const { path, text } of (await sources()).filter(({ path }) => layer(path) === "tunnel")) {
    assert.ok(!/\bDeno\./.test(text), `${path} uses Deno`);
    assert.ok(!/^import (?!type)[^;]*"node:/m.test(text), `${path} imports a module of node`);
  }
});

Deno.test("nothing of client-node's models is loaded at run time: they are imported as types", async () => {
  for (const { path, text } of await sources()) {
    for (const [line] of text.matchAll(/^.*client-node\/models.*$/gm)) assert.match(line, /^import type |^ \*/, path);
  }
});

Deno.test("only the two main.ts end the process or use the console", async () => {
  for (const { path, text } of await sources()) {
    if (path.endsWith("main.ts")) continue;
    assert.ok(!/\bDeno\.exit\b|\bprocess\.exit\b|\bconsole\./.test(text), `${path} ends the process or uses the console`);
  }
});

Deno.test("no file is a drawer: names say what is inside", async () => {
  for (const { path } of await sources()) assert.ok(!/(^|\/)(utils?|helpers?|common|misc|types|manager)(\/|\.ts$)/.test(path), path);
});
