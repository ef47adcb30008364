import assert from "node:assert/strict";
import { circles, fileGraph, folderGraph, folderOf } from "./import_graph.ts";
import { type SourceFile, sourceFile, sourceFiles } from "./source_files.ts";

/**
 * The folders that each folder may import from, besides itself. A folder stands below everything that it imports, so the list reads
 * from the top of the program to its foundations.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  "main.ts": ["cli", "cli/command"],
  cli: [
    "cli/apply",
    "cli/command",
    "cli/completion",
    "cli/doctor",
    "cli/images",
    "cli/port_forward",
    "cli/run",
    "cli/session",
    "cli/webhook",
    "cli/builders",
    "k8s/api",
    "k8s/images",
    "k8s/kubeconfig",
    "k8s/manifests",
    "k8s/registry",
    "k8s/session",
    "k8s/session/pod",
    "k8s/session/service",
    "k8s/webhook",
    "tunnel",
  ],
  "cli/webhook": [
    "cli/command",
    "cli/local",
    "cli/manifests",
    "cli/port_forward",
    "cli/session",
    "k8s/api",
    "k8s/certificate",
    "k8s/manifests",
    "k8s/session",
    "k8s/session/objects",
    "k8s/session/owner",
    "k8s/webhook",
    "tunnel",
    "tunnel/http1",
  ],
  "cli/port_forward": [
    "cli/command",
    "cli/local",
    "cli/session",
    "k8s/api",
    "k8s/session",
    "k8s/session/dial",
    "k8s/session/objects",
    "k8s/session/owner",
    "k8s/session/service",
    "tunnel",
    "tunnel/http1",
  ],
  "cli/run": [
    "cli/builders",
    "cli/command",
    "cli/local",
    "cli/session",
    "k8s/api",
    "k8s/nodes",
    "k8s/session",
    "k8s/session/objects",
    "k8s/session/owner",
    "k8s/session/pod",
    "k8s/workloads",
    "tunnel",
  ],
  "cli/apply": ["cli/builders", "cli/command", "cli/images", "cli/manifests", "k8s/api", "k8s/manifests", "k8s/workloads"],
  "cli/doctor": [
    "cli/command",
    "cli/session",
    "k8s/api",
    "k8s/kubeconfig",
    "k8s/nodes",
    "k8s/session",
    "k8s/session/dial",
    "k8s/session/objects",
    "k8s/session/owner",
    "k8s/session/pod",
    "k8s/session/service",
    "k8s/webhook",
  ],
  "cli/completion": ["cli/command", "k8s/api", "k8s/kubeconfig", "k8s/session/owner"],
  "cli/session": [
    "cli/command",
    "k8s/api",
    "k8s/certificate",
    "k8s/images",
    "k8s/session",
    "k8s/session/dial",
    "k8s/session/objects",
    "k8s/session/owner",
    "k8s/session/pod",
    "k8s/session/service",
    "k8s/webhook",
    "k8s/workloads",
    "tunnel",
    "k8s/webhook",
  ],
  "cli/images": ["cli/builders", "cli/command", "k8s/api", "k8s/images", "k8s/nodes", "k8s/registry"],
  "cli/builders": ["cli/command", "k8s/images"],
  "cli/command": ["k8s/api", "k8s/images", "k8s/kubeconfig", "k8s/session/objects"],
  "cli/manifests": ["cli/local", "k8s/manifests"],
  "cli/local": ["tunnel"],

  "k8s/webhook": ["k8s/api", "k8s/certificate", "k8s/manifests", "k8s/session/objects", "k8s/session/owner"],
  "k8s/session": ["k8s/api", "k8s/session/dial", "k8s/session/objects", "k8s/session/owner"],
  "k8s/session/service": [
    "k8s/api",
    "k8s/certificate",
    "k8s/session",
    "k8s/session/objects",
    "k8s/session/owner",
    "k8s/session/pod",
    "k8s/workloads",
  ],
  "k8s/session/pod": ["k8s/api", "k8s/images", "k8s/session/objects", "k8s/workloads"],
  "k8s/session/owner": ["k8s/api", "k8s/session/dial", "k8s/session/objects"],
  "k8s/session/dial": ["k8s/api", "k8s/session/objects", "tunnel", "tunnel/web_socket"],
  "k8s/session/objects": ["k8s/api", "k8s/images"],
  "k8s/workloads": ["k8s/api", "k8s/manifests"],
  "k8s/manifests": ["k8s/api"],
  "k8s/nodes": ["k8s/api", "k8s/images"],
  "k8s/registry": ["k8s/images"],
  "k8s/images": [],
  "k8s/kubeconfig": ["k8s/api", "k8s/certificate", "k8s/manifests"],
  "k8s/certificate": [],
  "k8s/api": ["tunnel"],

  server: ["server/callers", "server/control", "server/net", "server/run", "tunnel"],
  "server/callers": ["server/control", "server/net", "tunnel", "tunnel/http1"],
  "server/control": ["server/net", "tunnel", "tunnel/web_socket"],
  "server/run": ["tunnel"],
  "server/net": ["tunnel"],

  "tunnel/http1": ["tunnel"],
  "tunnel/web_socket": ["tunnel"],
  tunnel: [],
};
/** Single files that may be imported from a folder that is otherwise closed. */
const MAY_IMPORT_FILE: Readonly<Record<string, readonly string[]>> = {
  // The version.
  "cli/command": ["deno.json"],
  // The bundle of the Pod's server starts from here.
  "cli/images": ["server/main.ts"],
};

/** The only files that may import a package. */
const PACKAGE_USERS: Readonly<Record<string, readonly string[]>> = {
  "@kubernetes/client-node/models": ["k8s/api/kubernetes_objects.ts"],
  commander: ["cli/*"],
  diff: ["cli/apply/*"],
  "modern-tar": ["k8s/images/*"],
  yaml: ["cli/*", "k8s/*"],
};

/** The imports that go against the map above. */
function wrongImports(files: readonly SourceFile[]): string[] {
  const wrong: string[] = [];
  for (const [path, targets] of fileGraph(files)) {
    const folder = folderOf(path);
    for (const target of targets) {
      const allowed = folderOf(target) === folder || MAY_IMPORT[folder]?.includes(folderOf(target));
      if (!allowed && !MAY_IMPORT_FILE[folder]?.includes(target)) wrong.push(`${path} imports ${target}`);
    }
  }
  return wrong;
}

function named(found: readonly string[][]): string[] {
  return found.map((circle) => circle.join(", "));
}

Deno.test("each folder imports only from the folders below it", async () => {
  assert.deepEqual(wrongImports(await sourceFiles()), []);
});

Deno.test("no circle of imports between files or between folders", async () => {
  const files = await sourceFiles();
  const found = [...named(circles(fileGraph(files))), ...named(circles(folderGraph(files)))];
  assert.deepEqual(found, []);
});

Deno.test("planted circles and imports against the direction are found, whatever the kind of import", () => {
  const ways = {
    "import": (name: string) => `import { x } from "${name}";`,
    "import over several lines": (name: string) => `import {\n  x,\n} from "${name}";`,
    "import type": (name: string) => `import type { X } from "${name}";`,
    "import for its effect": (name: string) => `import "${name}";`,
    "export from": (name: string) => `export { x } from "${name}";`,
    "export type from": (name: string) => `export type { X } from "${name}";`,
    "export all": (name: string) => `export * from "${name}";`,
    "dynamic import": (name: string) => `export const x = async () => await import("${name}");`,
    "import as a type": (name: string) => `export let x: import("${name}").X;`,
  };
  for (const [kind, write] of Object.entries(ways)) {
    const files = [
      sourceFile("k8s/api/a.ts", write("./b.ts")),
      sourceFile("k8s/api/b.ts", write("../manifests/c.ts")),
      sourceFile("k8s/manifests/c.ts", write("../api/a.ts")),
      sourceFile("tunnel/d.ts", write("../server/net/sparing_log.ts")),
      sourceFile("cli/run/e.ts", write("../../server/net/sockets.ts")),
      sourceFile("tunnel/itself.ts", write("./itself.ts")),
      sourceFile("tunnel/quoted.ts", `// ${write("./quoted.ts")}\nconst text = '${write("./quoted.ts").replaceAll("\n", " ")}';`),
    ];
    assert.deepEqual(named(circles(fileGraph(files))), ["k8s/api/a.ts, k8s/api/b.ts, k8s/manifests/c.ts", "tunnel/itself.ts"], kind);
    assert.deepEqual(named(circles(folderGraph(files))), ["k8s/api, k8s/manifests"], kind);
    assert.deepEqual(wrongImports(files), [
      "k8s/api/b.ts imports k8s/manifests/c.ts",
      "tunnel/d.ts imports server/net/sparing_log.ts",
      "cli/run/e.ts imports server/net/sockets.ts",
    ], kind);
  }
});

Deno.test("each package is imported only where it is meant to be", async () => {
  const wrong: string[] = [];
  for (const { path, imports } of await sourceFiles()) {
    for (const name of imports.filter((specifier) => !specifier.startsWith(".") && !specifier.startsWith("node:"))) {
      const users = PACKAGE_USERS[name] ?? [];
      if (!users.some((user) => user === path || user.endsWith("*") && path.startsWith(user.slice(0, -1)))) {
        wrong.push(`${path} imports ${name}`);
      }
    }
  }
  assert.deepEqual(wrong, []);
});

Deno.test("the tunnel depends on no runtime: it uses neither Deno nor, except for types, a module of node", async () => {
  for (const { path, text } of (await sourceFiles()).filter(({ path }) => path.startsWith("tunnel/"))) {
    assert.ok(!/\bDeno\./.test(text), `${path} uses Deno`);
    assert.ok(!/^import (?!type)[^;]*"node:/m.test(text), `${path} imports a module of node`);
  }
});

/** The only modules that open connections, each with what it connects to. SECURITY.md promises that there is nothing else. */
const CONNECTING: Readonly<Record<string, string>> = {
  "cli/manifests/manifest_files.ts": "the URL given to -f",
  "cli/port_forward/upstream.ts": "the program",
  "cli/port_forward/upstream_tls.ts": "the program",
  "k8s/api/dial_native.ts": "the API server, or its proxy",
  "k8s/api/dial_socket.ts": "the API server, or its proxy",
  "k8s/registry/registry_client.ts": "the registry given to kurun apply",
  "k8s/session/dial/tls_inside.ts": "itself, on loopback",
  "server/control/reach_check.ts": "the session's own Services, from its Pod",
  "server/run_pod.ts": "the program next to it in the Pod",
};

Deno.test("connections are opened only to what the user names: no telemetry, no update check", async () => {
  const ways = [
    /\bDeno\.(?:connect(?:Tls|Quic)?|listenDatagram|resolveDns|openKv)\(/,
    /(?<![\w.#]|async )fetch\(/,
    /\bnew (?:WebSocket|WebSocketStream|EventSource|XMLHttpRequest)\(/,
    /^import (?!type\b)\{[^}]*\bconnect\b[^}]*\} from "node:(?:net|tls|http2)"/m,
    /^import (?!type\b)[^;]*from "node:(?:https?|dgram|dns(?:\/promises)?)"/m,
  ];
  const opens = (text: string) => ways.some((way) => way.test(text.replaceAll(/^\s*(?:\*|\/\/).*$/gm, "")));
  const found = (await sourceFiles()).filter(({ text }) => opens(text)).map(({ path }) => path).sort();
  assert.deepEqual(found, Object.keys(CONNECTING));
  for (
    const planted of [
      'await fetch("https://example.com")',
      "new WebSocket(url)",
      'import { get } from "node:https";',
      "Deno.connect({ port })",
    ]
  ) {
    assert.ok(opens(planted), planted);
  }
});

Deno.test("only the two main.ts end the process or use the console", async () => {
  for (const { path, text } of await sourceFiles()) {
    if (path.endsWith("main.ts")) continue;
    assert.ok(!/\bDeno\.exit\b|\bprocess\.exit\b|\bconsole\./.test(text), `${path} ends the process or uses the console`);
  }
});

Deno.test("file names say what is inside: no utils, helpers, common or managers", async () => {
  for (const { path } of await sourceFiles()) {
    assert.ok(!/(^|\/)(utils?|helpers?|common|misc|types|manager)(\/|\.ts$)/.test(path), path);
  }
});
