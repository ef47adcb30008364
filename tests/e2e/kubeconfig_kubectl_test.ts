/**
 * Compares kurun with kubectl over generated kubeconfigs: which cluster and user they choose and what they send, or that both refuse.
 *
 * @module
 */
import assert from "node:assert/strict";
import { dirname } from "node:path";
import { certificateAuthority } from "../../k8s/certificate/certificate.ts";
import { Api } from "../../k8s/api/api.ts";
import { loadClusterAccess } from "../../k8s/kubeconfig/kubeconfig.ts";
import { SeededRandom } from "../seeded_random.ts";

/** A folder with kubeconfigs, and how they are used. */
interface Case {
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly kubeconfigs: readonly string[];
  readonly asFlag: boolean;
  readonly flags: Readonly<Record<string, string>>;
}

/** What the server saw, or that there was no request. */
type Outcome = string;

const CASES = 120;
/** Names as they are written in YAML: some are not text to kubectl. */
const NAMES = [
  "one",
  "two",
  "'y'",
  "y",
  "on",
  "'1'",
  "1",
  "010",
  "~",
  "2026-01-01",
  "1e3",
  "12e4567",
  "0x1f",
  "1:30",
  "grün",
  '"a b"',
  ".5",
  "0o7",
  "=",
  "<<",
];
const TOKEN_PATH = "tokens/me";

/** Prints a credential whose token tells how the plugin was called. */
const PLUGIN = `#!/bin/sh
version=$(printf '%s' "$KUBERNETES_EXEC_INFO" | sed 's/.*"apiVersion":"\\([^"]*\\)".*/\\1/')
cluster=$(printf '%s' "$KUBERNETES_EXEC_INFO" | grep -c '"cluster"')
interactive=$(printf '%s' "$KUBERNETES_EXEC_INFO" | grep -c '"interactive":true')
printf '{"apiVersion":"%s","kind":"ExecCredential","status":{"token":"%s"}}' "$version" "\${0##*/}_$#_$1_\${FOO:-none}_$cluster$interactive"
`;

class Generator {
  readonly #random: SeededRandom;
  readonly #urls: readonly [secure: string, plain: string];
  readonly #ca: string;

  constructor(seed: number, urls: readonly [secure: string, plain: string], ca: string) {
    this.#random = new SeededRandom(seed);
    this.#urls = urls;
    this.#ca = ca;
  }

  next(): Case {
    const random = this.#random;
    // Most names are plain, so that most cases get as far as a request.
    const names = Array.from({ length: 2 }, () => random.chance(0.8) ? random.pick(["one", "two"]) : random.pick(NAMES));
    const files = new Map<string, Uint8Array>([
      ["plugin.sh", utf8(PLUGIN)],
      ["bin/found", utf8(PLUGIN)],
      ["sub/plugin.sh", utf8(PLUGIN)],
      ["ca.crt", utf8(this.#ca)],
      ["sub/ca.crt", utf8(this.#ca)],
      [TOKEN_PATH, utf8("from-file\n")],
      [`sub/${TOKEN_PATH}`, utf8("from-sub-file")],
    ]);
    const kubeconfigs = ["a", "sub/b", "./c"].slice(0, 1 + random.below(3));
    for (const [at, path] of kubeconfigs.entries()) {
      if (random.chance(0.07)) continue; // it does not exist
      files.set(
        path.replace("./", ""),
        this.#encoded(random.chance(0.05) ? random.pick(["", "\n", "# nothing\n", "null", "{}"]) : this.#file(at, names)),
      );
    }
    const flags: Record<string, string> = {};
    for (const flag of ["context", "cluster", "user"]) if (random.chance(0.12)) flags[flag] = unquoted(random.pick(names));
    return { files, kubeconfigs, asFlag: kubeconfigs.length === 1 && random.chance(0.4), flags };
  }

  #file(at: number, names: readonly string[]): string {
    const random = this.#random;
    const list = (what: string, inside: string, make: (name: string) => string) => {
      const items = [...random.chance(0.95) ? new Set(names) : names].filter(() => random.chance(0.9)).map((name) =>
        `- {name: ${name}, ${inside}: ${make(name)}}`
      );
      if (random.chance(0.04)) items.push(random.pick(["- null", "- {}", `- {name: ${random.pick(names)}}`, "- {name: null}"]));
      if (random.chance(0.04)) return `${what}: ${random.pick(["null", "[]", "{}", "text", ""])}`;
      return items.length === 0 ? `${what}: []` : `${what}:\n${items.join("\n")}`;
    };
    const parts = [
      list("clusters", "cluster", (name) => this.#cluster(at, name)),
      list("users", "user", () => this.#user()),
      list(
        "contexts",
        "context",
        () => `{cluster: ${random.pick(names)}, user: ${random.pick(names)}${random.chance(0.2) ? ", namespace: null" : ""}}`,
      ),
      ...random.chance(0.8) ? [`current-context: ${random.pick(names)}`] : [],
      ...random.chance(0.5) ? [`kind: ${random.chance(0.95) ? "Config" : random.pick(["Pod", "null", '""', "1"])}`, "apiVersion: v1"] : [],
      ...random.chance(0.1)
        ? [random.pick(["preferences: {}", "extensions: null", "unknown: [1, {a: b}]", `current-context: ${random.pick(names)}`])]
        : [],
    ];
    const text = `${random.chance(0.1) ? "---\n" : ""}${parts.join("\n")}\n`;
    return random.chance(0.2) ? text.replaceAll("\n", "\r\n") : text;
  }

  #cluster(at: number, name: string): string {
    const random = this.#random;
    const server = `${this.#urls[random.chance(0.9) ? 0 : 1]}/${at}-${encodeURIComponent(unquoted(name)).replace(/'/g, "")}`;
    const fields = [random.chance(0.97) ? `server: "${server}"` : random.pick(["server: ''", "server: null", "server: 1"])];
    if (random.chance(0.97)) {
      const data = `certificate-authority-data: ${btoa(this.#ca)}`;
      fields.push(random.pick(["certificate-authority: ca.crt", "certificate-authority: ./ca.crt", data]));
    }
    if (random.chance(0.05)) {
      fields.push(random.pick(["insecure-skip-tls-verify: yes", "insecure-skip-tls-verify: 'yes'", "insecure-skip-tls-verify: null"]));
    }
    if (random.chance(0.05)) {
      fields.push(
        random.pick([
          "certificate-authority-data: '*'",
          "certificate-authority-data: null",
          "proxy-url: ''",
          "tls-server-name: 5",
          "extensions: null",
        ]),
      );
    }
    if (random.chance(0.05)) fields.push(`server: "${server}-again"`);
    return random.chance(0.02) ? "null" : `{${fields.join(", ")}}`;
  }

  #user(): string {
    const random = this.#random;
    const chance = random.below(100);
    if (chance < 20) return `{token: ${random.pick(["abc", "'123'", "123", "1e3", "null", "''", "12e4567", "y", "0777"])}}`;
    if (chance < 35) {
      return `{${random.chance(0.3) ? "token: other, " : ""}tokenFile: ${
        random.pick([TOKEN_PATH, `./${TOKEN_PATH}`, `sub/../${TOKEN_PATH}`, "null", "''"])
      }}`;
    }
    if (chance < 45) return `{username: ${random.pick(["me", "'1'", "null"])}, password: ${random.pick(["pw", "null", "7", "'7'"])}}`;
    if (chance < 50) {
      return random.pick([
        "null",
        "{}",
        "{unknown: 1}",
        "{as: jane, as-groups: [a, b]}",
        "{as: jane, as-groups: [null]}",
        "{as-uid: '5', as: x}",
      ]);
    }
    const command = random.pick([
      "./plugin.sh",
      "./plugin.sh",
      "sub/plugin.sh",
      "../plugin.sh",
      "found",
      "found",
      "plugin.sh",
      "''",
      "null",
      "5",
    ]);
    const fields = [
      `command: ${command}`,
      `apiVersion: ${
        random.pick([
          "client.authentication.k8s.io/v1",
          "client.authentication.k8s.io/v1beta1",
          "client.authentication.k8s.io/v1",
          "client.authentication.k8s.io/v1alpha1",
          "null",
        ])
      }`,
      ...random.chance(0.9)
        ? [`interactiveMode: ${random.pick(["Never", "IfAvailable", "Never", "IfAvailable", "Always", "null", "''", "Sometimes"])}`]
        : [],
      ...random.chance(0.6) ? [`args: ${random.pick(["null", "[]", "[a]", "[a, b c]", "['1', y]", "[null]", "a"])}`] : [],
      ...random.chance(0.6)
        ? [
          `env: ${
            random.pick([
              "null",
              "[]",
              "[{name: FOO, value: bar}]",
              "[{name: FOO, value: null}]",
              "[{name: FOO, value: 1}]",
              "{}",
              "[{name: FOO, value: a}, {name: FOO, value: b}]",
            ])
          }`,
        ]
        : [],
      ...random.chance(0.3) ? [`installHint: ${random.pick(["null", "get it", "1"])}`] : [],
      ...random.chance(0.5) ? [`provideClusterInfo: ${random.pick(["true", "false", "on", "null", "'true'", "1"])}`] : [],
    ];
    return `{exec: {${fields.join(", ")}}${random.chance(0.05) ? ", token: t" : ""}}`;
  }

  #encoded(text: string): Uint8Array {
    const chance = this.#random.below(20);
    if (chance === 0) return new Uint8Array([0xef, 0xbb, 0xbf, ...utf8(text)]);
    if (chance > 2) return utf8(text);
    const units = new DataView(new ArrayBuffer(2 + text.length * 2));
    units.setUint16(0, 0xfeff, chance === 1);
    for (let at = 0; at < text.length; at++) units.setUint16(2 + at * 2, text.charCodeAt(at), chance === 1);
    return new Uint8Array(units.buffer);
  }
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function unquoted(name: string): string {
  return name.replace(/^(['"])(.*)\1$/, "$2");
}

Deno.test("kurun and kubectl choose and send the same for generated kubeconfigs, or both refuse", async () => {
  const before = { folder: Deno.cwd(), path: Deno.env.get("PATH") ?? "" };
  const ca = await certificateAuthority({ commonName: "ca", days: 1, now: new Date() });
  const certificate = await ca.issue({ names: ["127.0.0.1"], days: 1, now: new Date() });
  const requests: string[] = [];
  const respond = ({ url, headers }: Request) => {
    const sent = ["authorization", "impersonate-user", "impersonate-group", "impersonate-uid"].map((name) => headers.get(name) ?? "-");
    requests.push([decodeURIComponent(new URL(url).pathname), ...sent].join(" "));
    return Response.json({});
  };
  const plain = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, respond);
  const tls = { cert: certificate.certPem, key: certificate.keyPem };
  const secure = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {}, ...tls }, respond);
  const generator = new Generator(26, [`https://127.0.0.1:${secure.addr.port}`, `http://127.0.0.1:${plain.addr.port}`], ca.certPem);
  /** What a command sent since it began. */
  const outcome = (from: number): Outcome => requests.slice(from).join("; ") || "refused";
  let answered = 0;
  const differences: string[] = [];
  for (let round = 0; round < CASES; round++) {
    const one = generator.next();
    const folder = await Deno.realPath(await Deno.makeTempDir());
    try {
      for (const [path, bytes] of one.files) {
        await Deno.mkdir(dirname(`${folder}/${path}`), { recursive: true });
        await Deno.writeFile(`${folder}/${path}`, bytes, { mode: 0o755 });
      }
      const path = `${folder}/bin:${before.path}`;
      const variables: Record<string, string> = {
        HOME: folder,
        PATH: path,
        ...one.asFlag ? {} : { KUBECONFIG: one.kubeconfigs.join(":") },
      };
      const flags = { ...one.flags, ...one.asFlag && { kubeconfig: one.kubeconfigs[0] as string } };
      let from = requests.length;
      const { stderr } = await new Deno.Command("kubectl", {
        args: ["get", "--raw", "/probe", ...Object.entries(flags).map(([name, value]) => `--${name}=${value}`)],
        cwd: folder,
        env: variables,
        clearEnv: true,
        stdin: "null",
      }).output();
      const expected = outcome(from);
      from = requests.length;
      Deno.chdir(folder);
      Deno.env.set("PATH", path);
      let refusal = "";
      try {
        const api = new Api(await loadClusterAccess(flags, { get: (name) => variables[name] }), { userAgent: "test" });
        await api.get("/probe").finally(() => api.close());
      } catch (error) {
        refusal = `${(error as Error).name}: ${(error as Error).message}`;
      }
      const actual = outcome(from);
      if (actual !== "refused") answered++;
      if (actual === expected) continue;
      const complaint = new TextDecoder().decode(stderr).trim();
      // Without credentials kubectl asks for a name and a password; kurun does not, and sends the request.
      if (expected === "refused" && complaint.endsWith("error: EOF")) continue;
      // kubectl checks a plugin's entry even for a server without TLS, for which no plugin is run.
      if (expected === "refused" && complaint.endsWith("to use exec authentication plugin") && /^\S+ - - - -$/.test(actual)) continue;
      // kubectl does not mind a context whose user does not exist; kurun says so.
      if (refusal.includes("There is no user") && /^\S+ - - - -$/.test(expected)) continue;
      const files = [...one.files].filter(([path]) => one.kubeconfigs.some((one) => one.replace("./", "") === path));
      differences.push(
        `round ${round}: kubectl ${expected}\n  kurun ${actual} ${refusal}\n  ${complaint.slice(-300)}\n  ${
          JSON.stringify(flags)
        } ${one.kubeconfigs}\n` +
          files.map(([path, bytes]) => `--- ${path}\n${new TextDecoder().decode(bytes)}`).join(""),
      );
    } finally {
      Deno.chdir(before.folder);
      Deno.env.set("PATH", before.path);
      await Deno.remove(folder, { recursive: true });
    }
  }
  await Promise.all([plain.shutdown(), secure.shutdown()]);
  assert.deepEqual(differences.join("\n"), "");
  // A comparison of refusals alone would show nothing.
  assert.ok(answered > CASES / 4, `${answered} of ${CASES} were answered`);
});
