import assert from "node:assert/strict";
import { join } from "node:path";
import { stringify } from "yaml";
import { TlsServer } from "../../tests/tls_server.ts";
import { ScriptedServer } from "../../tests/scripted_server.ts";
import { describeError } from "../../cli/describe_error.ts";
import { Api } from "../api/api.ts";
import { certificateAuthority } from "../../tests/certificate_authority.ts";
import type { CertificatePair } from "../certificate/certificate.ts";
import { CredentialError } from "../api/cluster_access.ts";
import type { ExecCall } from "./exec_credential.ts";
import { type ClusterFlags, type KubeconfigEnvironment, loadClusterAccess } from "./kubeconfig.ts";
import { KubeconfigError, kubeconfigPaths } from "./kubeconfig_files.ts";

/** A temporary directory. */
class Directory implements AsyncDisposable {
  constructor(readonly path: string = Deno.makeTempDirSync()) {}

  async write(name: string, content: unknown): Promise<string> {
    const path = join(this.path, name);
    await Deno.mkdir(join(path, ".."), { recursive: true });
    await Deno.writeTextFile(path, typeof content === "string" ? content : stringify(content));
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

/** An environment with these variables and no ServiceAccount. */
function environment(variables: Record<string, string> = {}, more: Partial<KubeconfigEnvironment> = {}): KubeconfigEnvironment {
  return { get: (name) => variables[name], serviceAccountDirectory: "/nonexistent", ...more };
}

/** A kubeconfig with one cluster, user and context, all of one name. */
function config(name: string, changes: { cluster?: object; user?: object; context?: object; current?: string } = {}) {
  return {
    apiVersion: "v1",
    kind: "Config",
    "current-context": changes.current ?? name,
    clusters: [{ name, cluster: { server: `https://${name}.example:6443`, ...changes.cluster } }],
    users: [{ name, user: { token: `token-of-${name}`, ...changes.user } }],
    contexts: [{ name, context: { cluster: name, user: name, ...changes.context } }],
  };
}

async function load(content: unknown, flags: ClusterFlags = {}, env: KubeconfigEnvironment = environment()) {
  await using directory = new Directory();
  return await loadClusterAccess({ kubeconfig: await directory.write("config", content), ...flags }, env);
}

async function authorization(
  content: unknown,
  flags: ClusterFlags = {},
  env?: KubeconfigEnvironment,
): Promise<string | string[] | undefined> {
  return (await (await load(content, flags, env)).connection()).headers.Authorization;
}

function problem(message: RegExp, more: { subject?: string; available?: string } = {}) {
  return (error: unknown) => {
    assert.ok(error instanceof KubeconfigError, Deno.inspect(error));
    assert.match(error.message, message);
    if (more.subject) assert.ok(error.message.includes(`"${more.subject}"`), error.message);
    if (more.available) assert.ok(error.message.endsWith(`; available: ${more.available}`), error.message);
    return true;
  };
}

Deno.test("loadClusterAccess() takes the current context's cluster, user and namespace", async () => {
  const access = await load(config("dev", { context: { namespace: "shop" } }));
  assert.equal(access.server.href, "https://dev.example:6443/");
  assert.deepEqual([access.context, access.user, access.namespace, access.warnings], ["dev", "dev", "shop", []]);
  assert.deepEqual((await access.connection()).headers, { Authorization: "Bearer token-of-dev" });
});

Deno.test("loadClusterAccess() uses the namespace default if nothing else is given, and obeys the flag", async () => {
  assert.equal((await load(config("dev"))).namespace, "default");
  assert.equal((await load(config("dev", { context: { namespace: "shop" } }), { namespace: "other" })).namespace, "other");
});

Deno.test("loadClusterAccess() merges the files of KUBECONFIG: the first entry of a name wins, and missing files are skipped", async () => {
  await using directory = new Directory();
  const first = await directory.write("first", { ...config("shared", { user: { token: "first" } }), "current-context": "" });
  const second = await directory.write("second", {
    ...config("shared", { user: { token: "second", username: "x" }, cluster: { server: "https://second.example" }, current: "extra" }),
    contexts: [{ name: "extra", context: { cluster: "shared", user: "shared" } }, {
      name: "shared",
      context: { cluster: "other", user: "other" },
    }],
  });
  const third = await directory.write("third", { "current-context": "nowhere", clusters: null, users: null, contexts: null });
  const env = environment({ KUBECONFIG: [first, join(directory.path, "missing"), "", second, first, third].join(":") });
  const access = await loadClusterAccess({}, env);
  assert.equal(access.context, "extra", "the first current context that is set");
  assert.equal(access.server.href, "https://shared.example:6443/");
  assert.equal((await access.connection()).headers.Authorization, "Bearer first");
  assert.equal((await loadClusterAccess({ context: "shared" }, env)).user, "shared");
});

Deno.test("loadClusterAccess() reads paths relative to the file that names them", async () => {
  await using directory = new Directory();
  const ca = await certificateAuthority({ commonName: "ca", days: 1, now: new Date() });
  const client = await ca.issue({ names: [], days: 1, now: new Date(), usage: "client" });
  await directory.write("one/ca.crt", ca.certPem);
  await directory.write("two/client.crt", client.certPem);
  await directory.write("two/client.key", client.keyPem);
  await directory.write("two/token", "from-file\n");
  const one = await directory.write("one/config", config("dev", { cluster: { "certificate-authority": "ca.crt" } }));
  const two = await directory.write("two/config", {
    users: [{ name: "cert", user: { "client-certificate": "client.crt", "client-key": "./client.key" } }, {
      name: "token",
      user: { tokenFile: "../two/token" },
    }],
  });
  const env = environment({ KUBECONFIG: `${one}:${two}` });
  await (await loadClusterAccess({ user: "cert" }, env)).connection();
  assert.equal((await (await loadClusterAccess({ user: "token" }, env)).connection()).headers.Authorization, "Bearer from-file");
});

Deno.test("a relative path of a kubeconfig counts from the working directory, and paths in it from its folder", async () => {
  await using directory = new Directory();
  const exec = { apiVersion: "client.authentication.k8s.io/v1", interactiveMode: "Never" };
  await directory.write("sub/kc", config("dev", { user: { token: "", exec: { ...exec, command: "./plugin.sh" } } }));
  await directory.write("sub/bare", config("dev", { user: { token: "", exec: { ...exec, command: "plugin.sh" } } }));
  const before = Deno.cwd();
  try {
    for (const [cwd, path] of [["sub", "kc"], ["sub", "./kc"], [".", "sub/kc"], ["sub", "../sub/kc"]] as const) {
      Deno.chdir(join(directory.path, cwd));
      for (const way of ["flag", "variable"]) {
        const commands: string[] = [];
        const runPlugin = ({ command }: ExecCall) => {
          commands.push(command);
          return Promise.resolve({ code: 0, stdout: JSON.stringify({ ...exec, kind: "ExecCredential", status: { token: "t" } }) });
        };
        const [flags, variables] = way === "flag" ? [{ kubeconfig: path }, {}] : [{}, { KUBECONFIG: path }];
        await (await loadClusterAccess(flags, environment(variables, { runPlugin }))).connection();
        assert.deepEqual(commands, [join(await Deno.realPath(directory.path), "sub/plugin.sh")], `${way} ${cwd} ${path}`);
        await (await loadClusterAccess({ kubeconfig: path.replace("kc", "bare") }, environment({}, { runPlugin }))).connection();
        assert.equal(commands[1], "plugin.sh", "a bare name is looked up in PATH");
      }
    }
  } finally {
    Deno.chdir(before);
  }
});

Deno.test("a kubeconfig may be UTF-8 or UTF-16 with a byte order mark, and anything else is refused by the name of its encoding", async () => {
  await using directory = new Directory();
  const text = `${stringify(config("dev", { user: { token: "grün-😀" } }))}\r\n`;
  const utf16 = (bigEndian: boolean) => {
    const bytes = new DataView(new ArrayBuffer(2 + text.length * 2));
    bytes.setUint16(0, 0xfeff, !bigEndian);
    for (let at = 0; at < text.length; at++) bytes.setUint16(2 + at * 2, text.charCodeAt(at), !bigEndian);
    return new Uint8Array(bytes.buffer);
  };
  const utf8 = new TextEncoder().encode(text);
  const path = join(directory.path, "config");
  for (const bytes of [utf8, new Uint8Array([0xef, 0xbb, 0xbf, ...utf8]), utf16(true), utf16(false)]) {
    await Deno.writeFile(path, bytes);
    assert.equal((await loadClusterAccess({ kubeconfig: path }, environment())).context, "dev");
  }
  await Deno.writeFile(path, utf16(false).subarray(0, 101));
  await assert.rejects(loadClusterAccess({ kubeconfig: path }, environment()), /it is neither UTF-8 nor UTF-16/);
  await Deno.writeFile(path, new Uint8Array([...utf8, 0xff]));
  await assert.rejects(loadClusterAccess({ kubeconfig: path }, environment()), /it is neither UTF-8 nor UTF-16/);
});

Deno.test("a value of the wrong type is refused with its place, anywhere in the file, and null counts as absent", async () => {
  const yaml = (more: string) => `${stringify(config("dev"))}${more}`;
  for (const extra of ["x: 1\npreferences: {}\n", "extensions: null\n"]) assert.equal((await load(yaml(extra))).context, "dev", extra);
  const other = (user: string) => `users: [{name: dev, user: {token: t}}, {name: other, user: ${user}}]\n`;
  const base = stringify({ ...config("dev"), users: undefined });
  for (
    const fine of ["{exec: null, as-groups: null, token: null}", "null", "{as-groups: [null], as-user-extra: {a: null}, unknown: [1]}"]
  ) {
    assert.equal((await load(base + other(fine))).context, "dev", fine);
  }
  for (
    const [user, message] of [
      ["{password: 123}", /users\[1\]\.user\.password must be text, got a number: quote it/],
      ["{username: y}", /users\[1\]\.user\.username must be text, got a boolean: quote it/],
      ["{as-groups: [a, 1]}", /users\[1\]\.user\.as-groups\[1\] must be text/],
      ["{as-groups: a}", /users\[1\]\.user\.as-groups must be a list, got text/],
      ["{exec: {provideClusterInfo: 'true'}}", /users\[1\]\.user\.exec\.provideClusterInfo must be true or false, got text/],
      ["{client-key-data: '*'}", /users\[1\]\.user\.client-key-data is not valid base64/],
      ["[]", /users\[1\]\.user must be a mapping, got a list/],
    ] as const
  ) {
    await assert.rejects(load(base + other(user)), message);
  }
  await assert.rejects(load("clusters: [{name: y, cluster: {}}]"), /clusters\[0\]\.name must be text, got a boolean: quote it/);
});

Deno.test("a 401 is explained by an expired client certificate or plugin credential, and an empty token file is refused before any request", async () => {
  const { server: { http }, cluster } = await secureServer(({ certPem, keyPem }) => {
    const answer = () => Response.json({ kind: "Status", message: "Unauthorized" }, { status: 401 });
    const http = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {}, cert: certPem, key: keyPem }, answer);
    return { http, port: http.addr.port };
  });
  const refusal = async (content: unknown, env = environment()) => {
    const api = new Api(await load(content, {}, env), { userAgent: "test" });
    try {
      return describeError(await api.get("/x").then(() => assert.fail("not refused"), (error) => error)).text;
    } finally {
      api.close();
    }
  };
  const ca = await certificateAuthority({ commonName: "ca", days: 900, now: new Date("2024-01-01T00:00:00Z") });
  const old = await ca.issue({ names: [], days: 1, now: new Date("2024-01-01T00:00:00Z"), usage: "client" });
  const pair = { token: "", "client-certificate-data": btoa(old.certPem), "client-key-data": btoa(old.keyPem) };
  assert.match(
    await refusal(config("dev", { cluster, user: pair })),
    /401 Unauthorized\): the client certificate of user "dev" expired on 2024-01-0\dT.*\nLog in again/,
  );
  assert.doesNotMatch(await refusal(config("dev", { cluster })), /expired/);
  const exec = { apiVersion: "client.authentication.k8s.io/v1", interactiveMode: "Never", command: "login" };
  const status = { token: "t", expirationTimestamp: "2024-01-01T00:00:00Z" };
  const runPlugin = () => Promise.resolve({ code: 0, stdout: JSON.stringify({ ...exec, kind: "ExecCredential", status }) });
  const stale = await refusal(config("dev", { cluster, user: { token: "", exec } }), environment({}, { runPlugin }));
  assert.match(stale, /the exec plugin of user "dev" returned a credential that expired on 2024-01-01T00:00:00Z/);
  await using directory = new Directory();
  const empty = await directory.write("token", "\n");
  assert.match(
    await refusal(config("dev", { cluster, user: { tokenFile: empty } })),
    /^error: the token file .*token is empty: log in again$/,
  );
  await http.shutdown();
});

Deno.test("loadClusterAccess() reads ~/.kube/config by default", async () => {
  await using directory = new Directory();
  await directory.write(".kube/config", config("home"));
  assert.equal((await loadClusterAccess({}, environment({ HOME: directory.path }))).context, "home");
});

Deno.test("kubeconfigPaths() splits KUBECONFIG at semicolons on Windows, and finds USERPROFILE", () => {
  const env = environment({ KUBECONFIG: "C:\\a;D:\\b" });
  assert.deepEqual(kubeconfigPaths(undefined, env, true).paths, ["C:\\a", "D:\\b"]);
  assert.equal(kubeconfigPaths(undefined, environment({ USERPROFILE: "/users/jane" }), true).paths.length, 1);
});

Deno.test("loadClusterAccess() reports that the file of --kubeconfig is missing", async () => {
  await assert.rejects(
    loadClusterAccess({ kubeconfig: "/nonexistent/config" }, environment({ HOME: "/root" })),
    problem(/^The kubeconfig .* does not exist$/, { subject: "/nonexistent/config" }),
  );
});

Deno.test("loadClusterAccess() says where it looked when it finds nothing", async () => {
  await assert.rejects(loadClusterAccess({}, environment({ HOME: "/nonexistent" })), (error: KubeconfigError) => {
    assert.match(error.message, /"\/nonexistent\/\.kube\/config" does not exist, and this is not a Pod/);
    return problem(/^Cannot find a kubeconfig: .*\. Name a kubeconfig with --kubeconfig or KUBECONFIG$/, {
      subject: "/nonexistent/.kube/config",
    })(error);
  });
  await assert.rejects(
    loadClusterAccess({}, environment({ KUBECONFIG: "/nonexistent/a:/nonexistent/b" })),
    /a" does not exist, .*b" does not exist/,
  );
});

Deno.test("loadClusterAccess() uses the Pod's ServiceAccount when there is no kubeconfig", async () => {
  await using directory = new Directory();
  const ca = await certificateAuthority({ commonName: "ca", days: 1, now: new Date() });
  await directory.write("token", "pod-token\n");
  await directory.write("ca.crt", ca.certPem);
  await directory.write("namespace", "team-a\n");
  const variables = { KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "443" };
  const more = { serviceAccountDirectory: directory.path };
  const access = await loadClusterAccess({}, environment(variables, more));
  assert.equal(access.server.href, "https://[fd00::1]/");
  assert.equal(access.namespace, "team-a");
  assert.equal((await access.connection()).headers.Authorization, "Bearer pod-token");
  await directory.write(".kube/config", config("home"));
  assert.equal((await loadClusterAccess({}, environment({ ...variables, HOME: directory.path }, more))).context, "home");
  await assert.rejects(loadClusterAccess({}, environment(variables)), /this Pod has no ServiceAccount token/);
});

Deno.test("loadClusterAccess() lists the existing contexts, clusters or users when one is missing", async () => {
  const content = config("dev");
  await assert.rejects(load(content, { context: "prod" }), problem(/^There is no context/, { subject: "prod", available: "dev" }));
  await assert.rejects(load(content, { cluster: "prod" }), problem(/^There is no cluster/, { subject: "prod", available: "dev" }));
  await assert.rejects(load(content, { user: "root" }), problem(/^There is no user/, { subject: "root", available: "dev" }));
  await assert.rejects(load({ ...content, "current-context": "" }), problem(/^No context is selected/, { available: "dev" }));
  await assert.rejects(load(config("dev", { context: { cluster: "gone" } })), problem(/^There is no cluster/, { subject: "gone" }));
});

Deno.test("loadClusterAccess() ignores an incomplete entry that is not chosen", async () => {
  const content = config("dev");
  const broken = {
    ...content,
    clusters: [{ name: "empty", cluster: {} }, ...content.clusters],
    contexts: [
      { name: "half", context: { user: "dev" } },
      { name: "to-empty", context: { cluster: "empty", user: "dev" } },
      ...content.contexts,
    ],
  };
  assert.equal((await load(broken)).context, "dev");
  await assert.rejects(load(broken, { context: "half" }), problem(/names no cluster$/, { subject: "half" }));
  await assert.rejects(load(broken, { context: "to-empty" }), problem(/has no server$/, { subject: "empty" }));
});

Deno.test("loadClusterAccess() names a file that is not a kubeconfig, and shows nothing of its text", async () => {
  await assert.rejects(load("users:\n- name: a\n  user: {token: SECRET\n"), (error: KubeconfigError) => {
    assert.ok(!Deno.inspect(error, { depth: 10 }).includes("SECRET"));
    return problem(/^The kubeconfig .* is not valid: /)(error);
  });
  for (const value of ["!!int SECRET", "*SECRET", "&SECRET *SECRET", '"SECRET', "[SECRET", "{? SECRET}: a", "!!binary SECRET!"]) {
    await assert.rejects(load(`users:\n- name: a\n  user: {token: ${value}}\n`), (error: Error) => {
      assert.ok(!Deno.inspect(error, { depth: 10 }).includes("SECRET"), Deno.inspect(error));
      return true;
    });
  }
  await assert.rejects(load("just a text"), problem(/^The kubeconfig .* is not valid: /));
  await assert.rejects(load({ kind: "Deployment" }), problem(/^The kubeconfig .* is not valid: /));
  await assert.rejects(load({ ...config("dev"), users: { name: "x" } }), problem(/^The kubeconfig .* is not valid: /));
  await assert.rejects(load(config("dev", { user: { token: 123456 } })), /users\[0\]\.user\.token must be text, got a number: quote it/);
});

Deno.test("loadClusterAccess() works with flags alone, and without a user", async () => {
  const access = await loadClusterAccess({ server: "http://localhost:8001/" }, environment());
  assert.equal(access.server.href, "http://localhost:8001/");
  assert.deepEqual((await access.connection()).headers, {});
  assert.equal(
    (await loadClusterAccess({ server: "api.example:6443", token: "t" }, environment())).server.href,
    "https://api.example:6443/",
  );
});

Deno.test("flags change the cluster and the user", async () => {
  const content = config("dev", { cluster: { "tls-server-name": "kube.example" } });
  const access = await load(content, { server: "https://10.0.0.1:6443/k8s/clusters/c-1", token: "other", requestTimeout: 5_000 });
  assert.equal(access.server.href, "https://10.0.0.1:6443/k8s/clusters/c-1");
  assert.equal((await access.connection()).headers.Authorization, "Bearer other");
  assert.equal(access.requestTimeoutMs, 5_000);
  await assert.rejects(load(content, { server: "ftp://x" }), problem(/is not a URL/));
});

Deno.test("the server is verified as the kubeconfig says, and --server overrides its tls-server-name", async () => {
  const now = new Date();
  const ca = await certificateAuthority({ commonName: "ca", days: 1, now });
  await using server = await TlsServer.listen({ certificate: await ca.issue({ names: ["kube.example"], days: 1, now }) });
  const url = `https://127.0.0.1:${server.port}`;
  const cluster = { server: url, "certificate-authority-data": btoa(ca.certPem), "tls-server-name": "kube.example" };
  const get = async (flags: ClusterFlags) => {
    const api = new Api(await load(config("dev", { cluster }), flags), { userAgent: "test" });
    try {
      await api.get("/x");
    } finally {
      api.close();
    }
  };
  await get({});
  await assert.rejects(get({ server: url }), { kind: "tls-name" });
  await get({ server: url, tlsServerName: "kube.example" });
  await assert.rejects(get({ tlsServerName: "other.example" }), { kind: "tls-name" });
});

Deno.test("a token file comes before the token, is read again after 10 s, and at once after a 401", async () => {
  await using directory = new Directory();
  const path = await directory.write("token", "one\n");
  let now = 0;
  const access = await load(config("dev", { user: { token: "text", tokenFile: path } }), {}, environment({}, { now: () => now }));
  const token = async () => (await access.connection()).headers.Authorization;
  assert.equal(await token(), "Bearer one");
  await directory.write("token", "two");
  now = 9_999;
  assert.equal(await token(), "Bearer one");
  now = 10_000;
  assert.equal(await token(), "Bearer two");
  await directory.write("token", "three");
  access.refreshCredentials();
  assert.equal(await token(), "Bearer three");
  await Deno.remove(path);
  access.refreshCredentials();
  await assert.rejects(token(), (error) => error instanceof CredentialError && error.message.includes(path));
});

Deno.test("name and password are sent with Basic authentication, unless there is a token", async () => {
  assert.equal(await authorization(config("dev", { user: { token: "", username: "jäne", password: "p:w" } })), "Basic asOkbmU6cDp3");
  assert.equal(await authorization(config("dev", { user: { username: "jane", password: "pw" } })), "Bearer token-of-dev");
});

Deno.test("a token that cannot be sent is refused without being shown", async () => {
  const access = await load(config("dev", { user: { token: "SECRET\r\nX-Evil: 1" } }));
  await assert.rejects(access.connection(), (error: Error) => error instanceof CredentialError && !Deno.inspect(error).includes("SECRET"));
});

Deno.test("certificate and key data come before files, and must belong together", async () => {
  const now = new Date();
  const ca = await certificateAuthority({ commonName: "ca", days: 1, now });
  const jane = await ca.issue({ names: [], days: 1, now, usage: "client", commonName: "jane" });
  const joe = await ca.issue({ names: [], days: 1, now, usage: "client", commonName: "joe" });
  const user = (pair: { certPem: string; keyPem: string }) => ({
    "client-certificate": "/nonexistent.crt",
    "client-certificate-data": btoa(pair.certPem),
    "client-key": "/nonexistent.key",
    "client-key-data": btoa(pair.keyPem),
  });
  const content = config("dev", { user: user(jane) });
  const access = await load(content);
  const first = (await access.connection()).identity;
  assert.equal((await access.connection()).identity, first);
  await using directory = new Directory();
  const [clientCertificate, clientKey] = [await directory.write("c", joe.certPem), await directory.write("k", joe.keyPem)];
  await (await load(content, { clientCertificate, clientKey })).connection();
  await assert.rejects((await load(content, { clientKey })).connection(), (error: Error) => {
    assert.match(error.message, /the key belongs to another/);
    return error instanceof CredentialError;
  });
  await assert.rejects(
    load(config("dev", { user: { "client-key-data": btoa(jane.keyPem) } })),
    problem(/has a client-key but no client-certificate/),
  );
  await assert.rejects(
    load(config("dev", { user: { ...user(jane), "client-key-data": "!!!" } })),
    problem(/^The kubeconfig .* is not valid: /),
  );
  const unread = await load(config("dev", { user: { "client-certificate": "/nonexistent.crt", "client-key": "/nonexistent.key" } }));
  await assert.rejects(
    unread.connection(),
    (error: Error) => error instanceof CredentialError && error.message.includes("/nonexistent.crt"),
  );
});

Deno.test("a replaced client certificate is another identity", async () => {
  await using directory = new Directory();
  const now = new Date();
  const ca = await certificateAuthority({ commonName: "ca", days: 1, now });
  const renew = async () => {
    const pair = await ca.issue({ names: [], days: 1, now, usage: "client" });
    return [await directory.write("c", pair.certPem), await directory.write("k", pair.keyPem)] as const;
  };
  const [clientCertificate, clientKey] = await renew();
  const access = await load(config("dev"), { clientCertificate, clientKey });
  const before = (await access.connection()).identity;
  await renew();
  access.refreshCredentials();
  assert.notEqual((await access.connection()).identity, before);
});

Deno.test("an auth-provider is refused with what to do, unless there is a token", async () => {
  const provider = { "auth-provider": { name: "gcp", config: {} } };
  await assert.rejects(load(config("dev", { user: { ...provider, token: "" } })), (error: Error) => {
    assert.match(error.message, /"gcp".*exec plugin/);
    return problem(/auth-provider/, { subject: "dev" })(error);
  });
  assert.equal(await authorization(config("dev", { user: { ...provider, token: "" } }), { token: "t" }), "Bearer t");
});

Deno.test("insecure-skip-tls-verify is obeyed with a warning, and --certificate-authority overrides it", async () => {
  const insecure = config("dev", { cluster: { "insecure-skip-tls-verify": true } });
  const access = await load(insecure);
  assert.equal(access.warnings.length, 1);
  assert.match(access.warnings[0]!, /dev\.example:6443.*insecure-skip-tls-verify/);
  assert.deepEqual((await load(insecure, { certificateAuthority: "/some/ca" })).warnings, []);
  const both = config("dev", { cluster: { "insecure-skip-tls-verify": true, "certificate-authority": "/some/ca" } });
  await assert.rejects(load(both), problem(/both insecure-skip-tls-verify and a certificate-authority/));
  assert.equal((await load(config("dev", { cluster: { server: "http://far.example" } }))).warnings.length, 1);
});

/** A cluster entry of a server with TLS on this machine. */
async function secureServer<T extends { readonly port: number }>(
  listen: (certificate: CertificatePair) => T | Promise<T>,
): Promise<{ server: T; cluster: object }> {
  const ca = await certificateAuthority({ commonName: "ca", days: 1, now: new Date() });
  const server = await listen(await ca.issue({ names: ["127.0.0.1"], days: 1, now: new Date() }));
  return { server, cluster: { server: `https://127.0.0.1:${server.port}`, "certificate-authority-data": btoa(ca.certPem) } };
}

Deno.test("impersonation from the kubeconfig and from flags is sent with every request", async () => {
  const { server, cluster } = await secureServer((certificate) => TlsServer.listen({ certificate }));
  await using _ = server;
  const user = { as: "jane", "as-uid": "u", "as-groups": ["a", "b"], "as-user-extra": { "scopes/x": ["view", "edit"] } };
  const sent: Record<string, string>[] = [];
  for (const flags of [{}, { as: "jöe", asGroups: ["c"], asUid: "v" }]) {
    const api = new Api(await load(config("dev", { cluster, user }), flags), { userAgent: "test" });
    sent.push((await api.get<{ headers: Record<string, string> }>("/x")).body.headers);
    api.close();
  }
  const [first, second] = sent;
  assert.equal(first?.["impersonate-user"], "jane");
  assert.equal(first?.["impersonate-uid"], "u");
  assert.equal(first?.["impersonate-group"], "a, b");
  assert.equal(first?.["impersonate-extra-scopes%2fx"], "view, edit");
  assert.equal(second?.["impersonate-user"], new TextDecoder("latin1").decode(new TextEncoder().encode("jöe")));
  assert.equal(second?.["impersonate-group"], "c");
  await assert.rejects(load(config("dev"), { asGroups: ["c"] }), problem(/without a user/));
});

Deno.test("a server without TLS gets no credentials, and no plugin is run for it", async () => {
  const exec = { apiVersion: "client.authentication.k8s.io/v1", interactiveMode: "Never", command: "/nonexistent/login" };
  for (const user of [{ token: "t", as: "jane" }, { token: "", exec }, { token: "", username: "me", password: "pw" }]) {
    const access = await load(config("dev", { cluster: { server: "http://127.0.0.1:8001" }, user }));
    assert.deepEqual((await access.connection()).headers, {});
  }
});

Deno.test("an exec plugin gets the cluster's description, and its credential is used", async () => {
  const calls: ExecCall[] = [];
  const exec = {
    apiVersion: "client.authentication.k8s.io/v1",
    command: "./bin/login",
    args: ["--for", "kube"],
    env: [{ name: "PROFILE", value: "dev" }],
    provideClusterInfo: true,
    interactiveMode: "IfAvailable",
  };
  const cluster = {
    "certificate-authority-data": btoa("-----BEGIN CERTIFICATE-----"),
    "tls-server-name": "kube.example",
    extensions: [{ name: "client.authentication.k8s.io/exec", extension: { audience: 7 } }],
  };
  await using directory = new Directory();
  const kubeconfig = await directory.write("config", config("dev", { user: { token: "", exec }, cluster }));
  const runPlugin = (call: ExecCall) => {
    calls.push(call);
    return Promise.resolve({
      code: 0,
      stdout: JSON.stringify({ apiVersion: exec.apiVersion, kind: "ExecCredential", status: { token: "fresh" } }),
    });
  };
  const env = environment({}, { runPlugin, interactive: true });
  const access = await loadClusterAccess({ kubeconfig }, env);
  assert.equal(calls.length, 0, "it runs only when it is needed");
  assert.equal((await access.connection()).headers.Authorization, "Bearer fresh");
  const [call] = calls;
  assert.equal(call?.command, join(directory.path, "bin/login"));
  assert.deepEqual(call?.args, ["--for", "kube"]);
  assert.equal(call?.env.PROFILE, "dev");
  assert.equal(call?.interactive, true);
  assert.deepEqual(JSON.parse(call!.env.KUBERNETES_EXEC_INFO!), {
    apiVersion: exec.apiVersion,
    kind: "ExecCredential",
    spec: {
      cluster: {
        server: "https://dev.example:6443",
        "tls-server-name": "kube.example",
        "certificate-authority-data": btoa("-----BEGIN CERTIFICATE-----"),
        config: { audience: 7 },
      },
      interactive: true,
    },
  });
  assert.equal((await (await loadClusterAccess({ kubeconfig, token: "t" }, env)).connection()).headers.Authorization, "Bearer t");
  assert.equal(calls.length, 1, "a token makes it unnecessary");
});

Deno.test("a proxy of the kubeconfig or the environment is used for the connection", async () => {
  using proxy = new ScriptedServer((_, reply) => reply.write("HTTP/1.1 403 Not you\r\n\r\n"));
  const proxyUrl = `http://127.0.0.1:${proxy.port}`;
  for (
    const [cluster, variables] of [[{ "proxy-url": proxyUrl }, {}], [{}, { HTTPS_PROXY: proxyUrl }], [{ "proxy-url": proxyUrl }, {
      NO_PROXY: "*",
    }]] as const
  ) {
    const access = await load(config("dev", { cluster }), {}, environment(variables));
    await assert.rejects((await access.connection()).dial(), { name: "ConnectionError", kind: "proxy" });
  }
  assert.deepEqual(proxy.requests.map((request) => `${request.method} ${request.target}`), Array(3).fill("CONNECT dev.example:6443"));
  await assert.rejects(load(config("dev", { cluster: { "proxy-url": "socks4://jane:SECRET@x:1080" } })), (error: Error) => {
    assert.ok(!error.message.includes("SECRET"));
    return problem(/supported/)(error);
  });
});

Deno.test("a proxy forwards requests for a server without TLS by their absolute URLs, and CONNECT is for WebSockets", async () => {
  using proxy = new ScriptedServer(({ method }, reply) =>
    method === "CONNECT" ? reply.write("HTTP/1.1 403 No\r\n\r\n") : reply.json(200, {})
  );
  const cluster = { server: "http://far.example:8001/base", "proxy-url": `http://me:p%40ss@127.0.0.1:${proxy.port}` };
  const access = await load(config("dev", { cluster }));
  const api = new Api(access, { userAgent: "test" });
  for (const path of ["/x", "/y"]) await api.get(path, { query: { a: "b" } });
  api.close();
  const { dial } = await access.connection();
  await assert.rejects(dial({ webSocket: true }), /403 No/);
  assert.deepEqual(
    proxy.requests.map(({ method, target, headers }) => `${method} ${target} ${headers.host} ${headers["proxy-authorization"]}`),
    [
      `GET http://far.example:8001/base/x?a=b far.example:8001 Basic ${btoa("me:p@ss")}`,
      `GET http://far.example:8001/base/y?a=b far.example:8001 Basic ${btoa("me:p@ss")}`,
      `CONNECT far.example:8001 far.example:8001 Basic ${btoa("me:p@ss")}`,
    ],
  );
});

Deno.test("loadClusterAccess() causes no warning of the runtime", async () => {
  const code = `import { loadClusterAccess } from "${new URL("./kubeconfig.ts", import.meta.url)}";
    await loadClusterAccess({ server: "https://x" }, { get: () => undefined });`;
  const { stderr, code: exitCode } = await new Deno.Command(Deno.execPath(), { args: ["eval", code], env: { NO_COLOR: "1" } }).output();
  assert.equal(exitCode, 0);
  assert.doesNotMatch(new TextDecoder().decode(stderr), /warning/i);
});
