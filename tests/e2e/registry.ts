/**
 * A real registry (distribution's, tests/registry) on this machine's loopback, for tests that push to it and nodes that pull from it.
 *
 * @module
 */
import { registryProgram } from "../registry_program.ts";

/** The user who may push. */
export const REGISTRY_USER = { username: "me", password: "a-password" } as const;
/** The bcrypt hash of the password above, the form that the registry reads. */
const HTPASSWD = `me:$2a$05$F3Bovnv1n5P4Kri/lIbbCuNq3DtNatUkCJPZQI9uowhnFrDyK3KSK\n`;
/** The repositories that the token server lets this user push to. */
export const REGISTRY_PATH = "shop";

/** Runs until it is disposed. */
export class TestRegistry implements AsyncDisposable {
  readonly #folder: string;
  readonly #child: Deno.ChildProcess;
  readonly #tokens: TokenServer | undefined;

  private constructor(
    /** Host and port. */
    readonly registry: string,
    folder: string,
    child: Deno.ChildProcess,
    tokens: TokenServer | undefined,
  ) {
    this.#folder = folder;
    this.#child = child;
    this.#tokens = tokens;
  }

  /** Starts a registry. @param auth how it authenticates: by tokens from a separate server, or by name and password with each request */
  static async start(auth: "token" | "basic"): Promise<TestRegistry> {
    const program = await registryProgram();
    const folder = await Deno.makeTempDir({ prefix: "kurun-registry-" });
    const registry = `127.0.0.1:${freePort()}`;
    const tokens = auth === "token" ? await TokenServer.start(registry) : undefined;
    await Deno.writeTextFile(`${folder}/htpasswd`, HTPASSWD);
    await Deno.writeTextFile(`${folder}/jwks.json`, JSON.stringify({ keys: [tokens?.key] }));
    const config = {
      version: "0.1",
      log: { level: "warn", accesslog: { disabled: true } },
      storage: { filesystem: { rootdirectory: `${folder}/data` } },
      http: { addr: registry, secret: "for-uploads" },
      auth: tokens
        ? { token: { realm: tokens.realm, service: registry, issuer: ISSUER, jwks: `${folder}/jwks.json`, signingalgorithms: ["ES256"] } }
        : { htpasswd: { realm: "test", path: `${folder}/htpasswd` } },
    };
    // JSON is YAML.
    await Deno.writeTextFile(`${folder}/config.yml`, JSON.stringify(config));
    const child = new Deno.Command(program, {
      args: ["serve", `${folder}/config.yml`],
      env: { OTEL_TRACES_EXPORTER: "none" },
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const started = new TestRegistry(registry, folder, child, tokens);
    for (let tries = 100;; tries--) {
      const answer = await fetch(`http://${registry}/v2/`).catch(() => undefined);
      await answer?.body?.cancel();
      if (answer?.status === 401) return started;
      if (tries === 0) throw new Error(`the registry does not start: ${answer?.status}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Sends a request as the user who may push. */
  async get(path: string, accept = "application/json"): Promise<Response> {
    const authorization = this.#tokens
      ? `Bearer ${await this.#tokens.token(`repository:${/^\/v2\/(.+)\/(?:manifests|blobs|tags)\//.exec(path)?.[1]}:pull`)}`
      : `Basic ${btoa(`${REGISTRY_USER.username}:${REGISTRY_USER.password}`)}`;
    return await fetch(`http://${this.registry}${path}`, { headers: { Authorization: authorization, Accept: accept } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#child.status;
    await this.#tokens?.stop();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

const ISSUER = "test-issuer";

/** Issues tokens as distribution's specification defines them: JWTs with the holder's rights. */
class TokenServer {
  readonly #service: string;
  readonly #private: CryptoKey;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  private constructor(
    readonly realm: string,
    /** The public key, in the form that the registry reads. */
    readonly key: JsonWebKey & { kid: string },
    service: string,
    privateKey: CryptoKey,
    server: Deno.HttpServer<Deno.NetAddr>,
  ) {
    this.#service = service;
    this.#private = privateKey;
    this.#server = server;
  }

  static async start(service: string): Promise<TokenServer> {
    const { publicKey, privateKey } = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
    const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", publicKey) as Required<JsonWebKey>;
    const server: Deno.HttpServer<Deno.NetAddr> = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
      const { searchParams } = new URL(request.url);
      const { username, password } = REGISTRY_USER;
      if (request.headers.get("authorization") !== `Basic ${btoa(`${username}:${password}`)}`) {
        return Response.json({ details: "wrong name or password" }, { status: 401 });
      }
      return Response.json({ token: await started.token(...searchParams.getAll("scope").flatMap((scope) => scope.split(" "))) });
    });
    const realm = `http://127.0.0.1:${server.addr.port}/token`;
    const started = new TokenServer(realm, { kty, crv, x, y, kid: "one", alg: "ES256", use: "sig" }, service, privateKey, server);
    return started;
  }

  /** Issues a token for scopes such as `repository:shop/api:pull,push`; other repositories get pull only. */
  async token(...scopes: string[]): Promise<string> {
    const access = scopes.map((scope) => {
      const [type = "", name = "", actions = ""] = scope.split(":");
      const granted = actions.split(",").filter((action) => action === "pull" || name.startsWith(`${REGISTRY_PATH}/`));
      return { type, name, actions: granted };
    });
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: ISSUER,
      sub: "me",
      aud: this.#service,
      exp: now + 300,
      nbf: now - 10,
      iat: now,
      jti: crypto.randomUUID(),
      access,
    };
    const text = [{ typ: "JWT", alg: "ES256", kid: this.key.kid }, claims].map((part) => base64Url(JSON.stringify(part))).join(".");
    const signature = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, this.#private, new TextEncoder().encode(text));
    return `${text}.${base64Url(String.fromCharCode(...new Uint8Array(signature)))}`;
  }

  async stop(): Promise<void> {
    await this.#server.shutdown();
  }
}

function base64Url(text: string): string {
  return btoa(text).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

/** Finds a free port. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
