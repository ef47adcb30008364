/**
 * Compares kurun with kubectl over generated kubeconfigs: which cluster and user they choose and what they send, or that both refuse.
 *
 * @module
 */
import assert from "node:assert/strict";
import { dirname } from "node:path";
import { certificateAuthority } from "../certificate_authority.ts";
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
const ENVIRONMENTS = [
  "null",
  "[]",
  "[{name: FOO, value: bar}]",
  "[{name: FOO, value: null}]",
  "[{name: FOO, value: a}, {name: FOO, value: b}]",
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
    const names = Array.from({ length: 2 }, () => random.chance(0.9) ? random.pick(["one", "two"]) : random.pick(NAMES));
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
      const items = [...random.chance(0.95) ? new Set(names) : names].filter(() => random.chance(0.96)).map((name) =>
        `- {name: ${name}, ${inside}: ${make(name)}}`
      );
      if (random.chance(0.02)) items.push(random.pick(["- null", "- {}", `- {name: ${random.pick(names)}}`, "- {name: null}"]));
      if (random.chance(0.02)) return `${what}: ${random.pick(["null", "[]", "{}", "text", ""])}`;
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
      ...random.chance(0.93) ? [`current-context: ${random.pick(names)}`] : [],
      ...random.chance(0.5) ? [`kind: ${random.chance(0.98) ? "Config" : random.pick(["Pod", "null", '""', "1"])}`, "apiVersion: v1"] : [],
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
    const fields = [random.chance(0.98) ? `server: "${server}"` : random.pick(["server: ''", "server: null", "server: 1"])];
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
    if (chance < 20) return `{token: ${this.#mostly(["abc", "'123'", "12e4567", "null", "''"], ["123", "1e3", "y", "0777"])}}`;
    if (chance < 35) {
      const file = random.pick([TOKEN_PATH, `./${TOKEN_PATH}`, `sub/../${TOKEN_PATH}`, "null", "''"]);
      return `{${random.chance(0.3) ? "token: other, " : ""}tokenFile: ${file}}`;
    }
    if (chance < 45) return `{username: ${random.pick(["me", "'1'"])}, password: ${this.#mostly(["pw", "null", "'7'"], ["7", "on"])}}`;
    if (chance < 50) return random.pick(["null", "{}", "{unknown: 1}", "{as: jane, as-groups: [a, b]}", "{as: jane, as-groups: [null]}"]);
    const v1 = "client.authentication.k8s.io/v1";
    const fields = [
      `command: ${
        this.#mostly(["./plugin.sh", "./plugin.sh", "sub/plugin.sh", "found"], ["../plugin.sh", "plugin.sh", "''", "null", "5"])
      }`,
      `apiVersion: ${this.#mostly([v1, `${v1}beta1`], [`${v1}alpha1`, "null"])}`,
      `interactiveMode: ${this.#mostly(["Never", "IfAvailable"], ["Always", "null", "''", "Sometimes"])}`,
      ...random.chance(0.6) ? [`args: ${this.#mostly(["null", "[]", "[a]", "[a, b c]", "[null]"], ["['1', y]", "a"])}`] : [],
      ...random.chance(0.6) ? [`env: ${this.#mostly(ENVIRONMENTS, ["[{name: FOO, value: 1}]", "{}"])}`] : [],
      ...random.chance(0.3) ? [`installHint: ${this.#mostly(["null", "get it"], ["1"])}`] : [],
      ...random.chance(0.5) ? [`provideClusterInfo: ${this.#mostly(["true", "false", "on", "null"], ["'true'", "1"])}`] : [],
    ];
    return `{exec: {${fields.join(", ")}}${random.chance(0.05) ? ", token: t" : ""}}`;
  }

  /** Most cases must get as far as a request. */
  #mostly(right: readonly string[], wrong: readonly string[]): string {
    return this.#random.pick(this.#random.chance(0.97) ? right : wrong);
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

Deno.test("kurun and kubectl choose the same cluster and send the same for generated kubeconfigs, or both refuse", async () => {
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
  assert.ok(answered > CASES / 3, `${answered} of ${CASES} were answered`);
});
