import assert from "node:assert/strict";
import { CredentialError } from "../api/cluster_access.ts";
import { type ExecCall, ExecCredentialSource, type ExecSourceOptions, runPlugin } from "./exec_credential.ts";
import type { ExecEntry } from "./kubeconfig_entries.ts";

const V1 = "client.authentication.k8s.io/v1";

function source(config: ExecEntry, options: Partial<ExecSourceOptions>): ExecCredentialSource {
  return new ExecCredentialSource({
    apiVersion: V1,
    command: "login",
    interactiveMode: "Never",
    ...config,
  }, {
    user: "dev",
    cluster: () => Promise.resolve({ server: "https://x" }),
    interactive: false,
    now: () => 0,
    run: () => assert.fail("not to be run"),
    ...options,
  });
}

/** A plugin's output. */
function credential(status: object, apiVersion = V1) {
  return { code: 0, stdout: JSON.stringify({ apiVersion, kind: "ExecCredential", status }) };
}

function fails(text: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof CredentialError, Deno.inspect(error));
    assert.match(error.message, text);
    assert.match(error.message, /"login" of user "dev"/);
    return true;
  };
}

Deno.test("ExecCredentialSource keeps a credential without an expiry, and runs the plugin again after an expiry", async () => {
  let now = Date.parse("2026-11-23T12:00:00Z");
  let runs = 0;
  let expirationTimestamp: string | undefined = "2026-11-23T12:10:00Z";
  const exec = source({}, {
    now: () => now,
    run: () => Promise.resolve(credential({ token: `t${++runs}`, expirationTimestamp })),
  });
  assert.equal((await exec.get()).token, "t1");
  now += 599_999;
  assert.equal((await exec.get()).token, "t1");
  now += 1;
  expirationTimestamp = undefined;
  assert.equal((await exec.get()).token, "t2");
  now += 365 * 24 * 3600_000;
  assert.equal((await exec.get()).token, "t2");
});

Deno.test("ExecCredentialSource runs the plugin once for concurrent calls, and again after a failure", async () => {
  let runs = 0;
  const exec = source({}, {
    run: async () => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      return ++runs === 1 ? { code: 1, stdout: "" } : credential({ token: "t" });
    },
  });
  const results = await Promise.allSettled([exec.get(), exec.get(), exec.get()]);
  assert.ok(results.every(({ status }) => status === "rejected"));
  assert.equal(runs, 1);
  await Promise.all([exec.get(), exec.get()]);
  assert.equal(runs, 2);
});

Deno.test("ExecCredentialSource.forget() makes the plugin run again, but only once for several 401s", async () => {
  let now = 0;
  let runs = 0;
  const exec = source({}, { now: () => now, run: () => Promise.resolve(credential({ token: `t${++runs}` })) });
  await exec.get();
  now = 60_000;
  exec.forget();
  assert.equal((await exec.get()).token, "t2");
  exec.forget();
  assert.equal((await exec.get()).token, "t2");
});

Deno.test("ExecCredentialSource returns certificates and refuses half of a pair", async () => {
  const pair = { clientCertificateData: "CERT", clientKeyData: "KEY" };
  assert.deepEqual(await source({}, { run: () => Promise.resolve(credential(pair)) }).get(), {
    token: undefined,
    certPem: "CERT",
    keyPem: "KEY",
  });
  await assert.rejects(
    source({}, { run: () => Promise.resolve(credential({ clientKeyData: "KEY" })) }).get(),
    fails(/without its certificate/),
  );
});

Deno.test("ExecCredentialSource describes the cluster only to plugins with provideClusterInfo", async () => {
  const calls: ExecCall[] = [];
  const run = (call: ExecCall) => {
    calls.push(call);
    return Promise.resolve(credential({ token: "t" }));
  };
  await source({}, { run }).get();
  await source({ provideClusterInfo: true }, { run }).get();
  const specs = calls.map((call) => JSON.parse(call.env.KUBERNETES_EXEC_INFO!).spec);
  assert.deepEqual(specs, [{ interactive: false }, { cluster: { server: "https://x" }, interactive: false }]);
});

Deno.test("ExecCredentialSource gives the plugin the terminal as interactiveMode says", async () => {
  const asked = async (interactiveMode: string, interactive: boolean, apiVersion = V1) => {
    let lent: boolean | undefined;
    await source({ interactiveMode, apiVersion }, {
      interactive,
      run: (call) => {
        lent = call.interactive;
        return Promise.resolve(credential({ token: "t" }, apiVersion));
      },
    }).get();
    return lent;
  };
  assert.equal(await asked("Never", true), false);
  assert.equal(await asked("IfAvailable", true), true);
  assert.equal(await asked("IfAvailable", false), false);
  assert.equal(await asked("Always", true), true);
  assert.equal(await asked("", true, `${V1}beta1`), true);
  assert.throws(() => source({ interactiveMode: "Always" }, {}), fails(/standard input is not a terminal/));
  assert.throws(() => source({ interactiveMode: "" }, {}), fails(/interactiveMode is missing/));
});

Deno.test("ExecCredentialSource refuses old API versions", () => {
  assert.throws(() => source({ apiVersion: "client.authentication.k8s.io/v1alpha1" }, {}), fails(/v1alpha1.*v1 or/));
});

Deno.test("ExecCredentialSource prints the installHint of a missing plugin", async () => {
  const exec = source({ installHint: "Get it from https://login.example\n" }, { run: () => Promise.reject(new Deno.errors.NotFound("x")) });
  await assert.rejects(exec.get(), fails(/the program was not found\n\nGet it from https:\/\/login\.example$/));
});

Deno.test("ExecCredentialSource reports what is wrong with an answer without showing it", async () => {
  const answers: [RegExp, { code: number; stdout: string }][] = [
    [/exit code 3/, { code: 3, stdout: "SECRET" }],
    [/not JSON/, { code: 0, stdout: "SECRET" }],
    [/not an ExecCredential/, { code: 0, stdout: '{"token":"SECRET"}' }],
    [/has apiVersion/, credential({ token: "SECRET" }, `${V1}beta1`)],
    [/neither a token nor a certificate/, credential({})],
    [/neither a token nor a certificate/, { code: 0, stdout: `{"apiVersion":"${V1}","kind":"ExecCredential"}` }],
    [/expirationTimestamp/, credential({ token: "SECRET", expirationTimestamp: "soon" })],
  ];
  for (const [text, answer] of answers) {
    await assert.rejects(source({}, { run: () => Promise.resolve(answer) }).get(), (error: Error) => {
      assert.ok(!Deno.inspect(error, { depth: 10 }).includes("SECRET"));
      return fails(text)(error);
    });
  }
});

Deno.test("runPlugin() runs a program with its environment and returns its output", async () => {
  const args = ["eval", 'Deno.stdout.writeSync(new TextEncoder().encode(Deno.env.get("X") + Deno.env.has("PATH"))); Deno.exit(7)'];
  const result = await runPlugin({ command: Deno.execPath(), args, env: { X: "y" }, interactive: false });
  assert.deepEqual(result, { code: 7, stdout: "ytrue" });
  await assert.rejects(runPlugin({ command: "/nonexistent/x", args: [], env: {}, interactive: false }), Deno.errors.NotFound);
});
