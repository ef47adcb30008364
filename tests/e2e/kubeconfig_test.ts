import assert from "node:assert/strict";
import { certificateAuthority } from "../certificate_authority.ts";
import { ConnectProxy } from "../connect_proxy.ts";
import { PathProxy } from "../path_proxy.ts";
import { KurunProcess } from "./kurun_process.ts";
import { accountToken, type ClusterFacts, clusterFacts, kubeconfigText, trusted } from "./kubeconfig.ts";
import { clusterTest, kubectl, objectsIn, type TestNamespace } from "./kubernetes.ts";
import { serveHttp } from "./upstreams.ts";

/** The ingredients of a kubeconfig. */
interface Setting {
  readonly namespace: TestNamespace;
  readonly facts: ClusterFacts;
  /** A folder that is removed after the test. */
  readonly folder: string;
  /** Writes a file there. @returns its path */
  write(name: string, text: string, mode?: number): Promise<string>;
  /** Closes a resource when the test ends. */
  use<T extends AsyncDisposable | Disposable>(resource: T): T;
}

/** How kurun runs with a kubeconfig, and what to check besides the answers. */
interface Run {
  readonly env?: Record<string, string>;
  readonly args?: readonly string[];
  /** Checks something while kurun forwards. */
  readonly watch?: (kurun: KurunProcess, url: string) => void | Promise<void>;
}

const RANCHER_PATH = "/k8s/clusters/c-m-1";
/** A name that the API server's certificate does not have. */
const OTHER_NAME = "api.kurun.example";

const kinds: Record<string, (setting: Setting) => Promise<Run>> = {
  "a client certificate": async ({ facts, write }) => ({
    env: { KUBECONFIG: await write("config", kubeconfigText({ cluster: trusted(facts), user: facts.admin })) },
  }),

  "a client certificate in files, with flags and without a kubeconfig": async ({ facts, write, folder }) => ({
    env: { KUBECONFIG: `${folder}/none` },
    args: [
      ...["--server", facts.server.href, "--certificate-authority", await write("ca.crt", facts.ca)],
      ...["--client-certificate", await write("me.crt", atob(String(facts.admin["client-certificate-data"])))],
      ...["--client-key", await write("me.key", atob(String(facts.admin["client-key-data"])))],
    ],
  }),

  "a token": async ({ facts, write, namespace }) => ({
    env: { KUBECONFIG: await write("config", kubeconfigText({ cluster: trusted(facts), user: { token: await accountToken(namespace) } })) },
  }),

  "a token in --token, which causes a warning and is not shown": async ({ facts, write, namespace }) => {
    const token = await accountToken(namespace);
    return {
      env: { KUBECONFIG: await write("config", kubeconfigText({ cluster: trusted(facts), user: {} })) },
      args: ["--token", token],
      watch: ({ stdout, stderr }) => {
        assert.match(stderr, /^Warning: other users of this machine can read --token in the process list/m);
        assert.ok(!(stdout + stderr).includes(token.slice(-20)));
      },
    };
  },

  "a token file whose token is replaced while kurun runs": async ({ facts, write, namespace, folder }) => {
    await write("token", await accountToken(namespace, "first"));
    return {
      env: { KUBECONFIG: await write("config", kubeconfigText({ cluster: trusted(facts), user: { tokenFile: `${folder}/token` } })) },
      args: ["--ttl", "3s"],
      watch: async (_kurun, url) => {
        await write("token", await accountToken(namespace, "second"));
        await kubectl(["delete", "serviceaccount", "first", "-n", namespace.name]);
        // The API server caches a token for 10 s; after the ttl without a valid one, the session would be gone within 2 s.
        await new Promise((resolve) => setTimeout(resolve, 15_500));
        assert.equal(await (await fetch(url)).text(), "from here");
      },
    };
  },

  "an exec plugin, which runs once while its credential is valid, and whose stderr is shown": async (setting) => {
    const { config, calls } = await execPlugin(setting, "2100-01-01T00:00:00Z");
    return {
      env: { KUBECONFIG: config },
      args: ["--ttl", "3s"],
      watch: async ({ stderr }) => {
        await new Promise((resolve) => setTimeout(resolve, 3_000));
        assert.match(stderr, /the plugin says hello/);
        assert.equal(await calls(), 1);
      },
    };
  },

  "an exec plugin, which runs again when its credential has expired": async (setting) => {
    const { config, calls } = await execPlugin(setting, "$(date -u -d '+2 seconds' +%Y-%m-%dT%H:%M:%SZ)");
    return {
      env: { KUBECONFIG: config },
      args: ["--ttl", "3s"],
      watch: async () => {
        const [before, until] = [await calls(), performance.now() + 10_000];
        while (await calls() === before) {
          assert.ok(performance.now() < until, `${before} calls`);
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
      },
    };
  },

  "an API server under a path": async ({ facts, write, namespace, use }) => {
    const authority = await certificateAuthority({ commonName: "proxy", days: 1, now: new Date() });
    const certificate = await authority.issue({ names: ["127.0.0.1"], days: 1, now: new Date() });
    const proxy = use(await PathProxy.listen({ certificate, path: RANCHER_PATH, server: facts.server, serverCa: facts.ca }));
    const cluster = { server: proxy.url, "certificate-authority-data": btoa(authority.certPem) };
    return {
      env: { KUBECONFIG: await write("config", kubeconfigText({ cluster, user: { token: await accountToken(namespace) } })) },
      watch: () => {
        assert.deepEqual(proxy.asked.filter((line) => !line.includes(` ${RANCHER_PATH}/`)), []);
        assert.ok(proxy.asked.some((line) => line.startsWith("UPGRADE ")));
      },
    };
  },

  "an HTTP proxy in proxy-url": async ({ facts, write, use }) => {
    const proxy = use(proxyTo(facts));
    const cluster = { ...trusted(facts), "proxy-url": `http://127.0.0.1:${proxy.port}` };
    return {
      env: { KUBECONFIG: await write("config", kubeconfigText({ cluster, user: facts.admin })) },
      watch: () => assert.ok(proxy.asked.length >= 2 && proxy.asked.every((target) => target === facts.server.host), `${proxy.asked}`),
    };
  },

  "an HTTP proxy in HTTPS_PROXY": async ({ facts, write, use }) => {
    const proxy = use(proxyTo(facts));
    const cluster = { ...trusted(facts, otherServer(facts)), "tls-server-name": facts.server.hostname };
    return {
      env: {
        KUBECONFIG: await write("config", kubeconfigText({ cluster, user: facts.admin })),
        HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`,
        NO_PROXY: "",
        // Deno itself would go through the proxy too.
        DENO_NO_UPDATE_CHECK: "1",
      },
      watch: () => assert.ok(proxy.asked.length >= 2 && proxy.asked.every((target) => target.startsWith(OTHER_NAME)), `${proxy.asked}`),
    };
  },

  "a cluster and a user in one file, the context in another": async ({ facts, write }) => {
    const { contexts, ...rest } = JSON.parse(kubeconfigText({ cluster: trusted(facts), user: facts.admin }));
    const entries = await write("entries", JSON.stringify({ ...rest, "current-context": "" }));
    const context = await write("context", JSON.stringify({ apiVersion: "v1", kind: "Config", "current-context": "here", contexts }));
    return { env: { KUBECONFIG: `${entries}:${context}` } };
  },

  "tls-server-name": async ({ facts, write, use }) => {
    const cluster = {
      ...trusted(facts, otherServer(facts)),
      "proxy-url": `http://127.0.0.1:${use(proxyTo(facts)).port}`,
      "tls-server-name": facts.server.hostname,
    };
    return { env: { KUBECONFIG: await write("config", kubeconfigText({ cluster, user: facts.admin })) } };
  },

  "insecure-skip-tls-verify, which causes a warning": async ({ facts, write, use }) => {
    const cluster = {
      server: otherServer(facts),
      "proxy-url": `http://127.0.0.1:${use(proxyTo(facts)).port}`,
      "insecure-skip-tls-verify": true,
    };
    return {
      env: { KUBECONFIG: await write("config", kubeconfigText({ cluster, user: facts.admin })) },
      watch: ({ stderr }) => assert.match(stderr, /^Warning: the certificate of api\.kurun\.example:\d+ is not verified: cluster "there"/m),
    };
  },

  "the context's own namespace": async ({ facts, write, namespace: { name: namespace } }) => ({
    env: { KUBECONFIG: await write("config", kubeconfigText({ cluster: trusted(facts), user: facts.admin, namespace })) },
    args: ["--namespace", ""],
  }),

  "another context, cluster, user and group in flags": async ({ facts, write, namespace: { name } }) => ({
    env: { KUBECONFIG: "" },
    args: [
      "--kubeconfig",
      await write(
        "config",
        JSON.stringify({
          "current-context": "wrong",
          contexts: [{ name: "right", context: { cluster: "wrong", user: "wrong" } }],
          clusters: [{ name: "wrong", cluster: { server: "https://127.0.0.1:9" } }, { name: "there", cluster: trusted(facts) }],
          users: [{ name: "wrong", user: { token: "wrong" } }, { name: "me", user: facts.admin }],
        }),
      ),
      ...["--context", "right", "--cluster", "there", "--user", "me", "--request-timeout", "20", "-n", name],
      ...["--as", "somebody", "--as-group", "system:masters"],
    ],
  }),

  "several groups to impersonate": async ({ facts, write }) => ({
    env: { KUBECONFIG: await write("config", kubeconfigText({ cluster: trusted(facts), user: facts.admin })) },
    args: ["--as", "somebody", "--as-group", "nobody", "--as-group", "system:masters"],
  }),
};

for (const [kind, make] of Object.entries(kinds)) {
  clusterTest(`kurun port-forward works with ${kind}`, async (namespace) => {
    await using setting = await newSetting(namespace);
    const { env = {}, args = [], watch } = await make(setting);
    await using upstream = serveHttp(() => new Response("from here"));
    const inside = args.includes("--namespace") ? [] : ["-n", namespace.name];
    await using kurun = await KurunProcess.start(["port-forward", upstream.url, ...inside, ...args], env).ready();
    const url = `http://${await namespace.address()}/`;
    assert.equal(await (await fetch(url)).text(), "from here");
    await watch?.(kurun, url);
    kurun.signal("SIGINT");
    assert.equal(await kurun.exit, 0, kurun.stderr);
    assert.deepEqual((await namespace.left()).filter((name) => !name.startsWith("Secret/") || name.includes("kurun")), []);
  });
}

clusterTest("an API server with a certificate of another authority gets no request, and nothing is created", async (namespace) => {
  await using setting = await newSetting(namespace);
  const { facts } = setting;
  const authority = await certificateAuthority({ commonName: "kubernetes", days: 1, now: new Date() });
  const certificate = await authority.issue({ names: ["127.0.0.1"], days: 1, now: new Date() });
  const proxy = setting.use(await PathProxy.listen({ certificate, path: "", server: facts.server, serverCa: facts.ca }));
  const user = { token: await accountToken(namespace) };
  const config = await setting.write("config", kubeconfigText({ cluster: trusted(facts, proxy.url), user }));
  const { code, stdout, stderr } = await untilRefused(["port-forward", "8080", "-n", namespace.name], { KUBECONFIG: config });
  assert.equal(code, 3, stderr);
  assert.equal(stdout, "");
  assert.match(stderr, /^error: cannot reach the API server at .*certificate/m);
  assert.deepEqual(proxy.asked, []);
  assert.deepEqual(await objectsIn(namespace.name), []);
});

clusterTest("an API server whose certificate lacks its name is refused, and nothing is created", async (namespace) => {
  await using setting = await newSetting(namespace);
  const { facts } = setting;
  const cluster = { ...trusted(facts, otherServer(facts)), "proxy-url": `http://127.0.0.1:${setting.use(proxyTo(facts)).port}` };
  const config = await setting.write("config", kubeconfigText({ cluster, user: facts.admin }));
  const { code, stderr } = await untilRefused(["port-forward", "8080", "-n", namespace.name], { KUBECONFIG: config });
  assert.equal(code, 3, stderr);
  assert.match(stderr, /^error: cannot reach the API server at .*certificate/m);
  assert.deepEqual(await objectsIn(namespace.name), []);
});

/** How kurun ends, or that it forwards instead. */
async function untilRefused(args: string[], env: Record<string, string>) {
  await using kurun = KurunProcess.start(args, env);
  const code = await Promise.race([kurun.exit, kurun.ready().then(() => "it forwards", () => kurun.exit)]);
  return { code, stdout: kurun.stdout, stderr: kurun.stderr };
}

/** A proxy that leads every name to the API server. */
function proxyTo(facts: ClusterFacts): ConnectProxy {
  return new ConnectProxy({ resolve: () => facts.server.hostname });
}

function otherServer({ server }: ClusterFacts): string {
  return `https://${OTHER_NAME}:${server.port || 443}`;
}

/** A kubeconfig with a plugin that prints to stderr and counts its calls. @param expires a time, or a shell expression for it */
async function execPlugin({ facts, write, namespace, folder }: Setting, expires: string) {
  const token = await accountToken(namespace);
  const apiVersion = "client.authentication.k8s.io/v1";
  const command = await write(
    "plugin",
    `#!/bin/sh
echo "the plugin says hello" >&2
echo called >>${folder}/calls
cat <<END
{"apiVersion":"${apiVersion}","kind":"ExecCredential","status":{"token":"${token}","expirationTimestamp":"${expires}"}}
END
`,
    0o700,
  );
  const user = { exec: { apiVersion, command, interactiveMode: "IfAvailable" } };
  return {
    config: await write("config", kubeconfigText({ cluster: trusted(facts), user })),
    calls: async () => (await Deno.readTextFile(`${folder}/calls`)).trim().split("\n").length,
  };
}

async function newSetting(namespace: TestNamespace): Promise<Setting & AsyncDisposable> {
  const folder = await Deno.makeTempDir({ prefix: "kurun-kubeconfig-" });
  const resources = new AsyncDisposableStack();
  resources.defer(() => Deno.remove(folder, { recursive: true }));
  return {
    namespace,
    facts: await clusterFacts(),
    folder,
    write: async (name, text, mode = 0o600) => {
      await Deno.writeTextFile(`${folder}/${name}`, text, { mode });
      return `${folder}/${name}`;
    },
    use: (resource) => resources.use(resource),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}
