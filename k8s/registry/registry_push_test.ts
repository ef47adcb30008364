import { deepStrictEqual as same, match, ok, strictEqual as equal } from "node:assert/strict";
import { FakeRegistry, type FakeRegistryOptions, problem } from "../../tests/fake_registry.ts";
import { certificateAuthority } from "../certificate/certificate.ts";
import { type ImageLayer, writeLayer } from "../images/image_layer.ts";
import { ociImage } from "../images/oci_image.ts";
import { RegistryClient } from "./registry_client.ts";
import type { RegistryCredentials } from "./registry_credentials.ts";
import { RegistryError } from "./registry_error.ts";
import { type PushedImage, pushImages } from "./registry_push.ts";

const CREDENTIALS: RegistryCredentials = { username: "me", password: "secret", from: "a file" };
const platform = { os: "linux", architecture: "amd64" };

interface World {
  readonly registry: FakeRegistry;
  readonly base: ImageLayer;
  image(repository: string, contents: string): Promise<PushedImage>;
  push(
    images: PushedImage[],
    credentials?: RegistryCredentials,
    authorities?: string[],
  ): Promise<{ missing: string[]; sent: number; pauses: number[] }>;
}

async function inWorld(options: FakeRegistryOptions, use: (world: World) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  await using registry = new FakeRegistry(options);
  try {
    const layer = (name: string, contents: Uint8Array) => writeLayer(`${folder}/${name}`, [{ type: "file", path: "f", contents }]);
    const base = await layer("base", crypto.getRandomValues(new Uint8Array(60_000)));
    await use({
      registry,
      base,
      async image(repository, contents) {
        const own = await layer(crypto.randomUUID(), new TextEncoder().encode(contents));
        return { repository, tag: "t1", image: ociImage({ platform, config: { entrypoint: ["/f"] }, layers: [base, own] }) };
      },
      async push(images, credentials, authorities = []) {
        let sent = 0;
        const pauses: number[] = [];
        using client = new RegistryClient({
          registry: registry.registry,
          credentials,
          authorities,
          userAgent: "test",
          signal: new AbortController().signal,
          pause: (ms) => Promise.resolve(void pauses.push(ms)),
        });
        const missing = await pushImages(client, images, { sent: (bytes) => sent += bytes });
        return { missing: missing.map(({ repository }) => repository), sent, pauses };
      },
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function failing(promise: Promise<unknown>): Promise<RegistryError> {
  const error = await promise.then(() => undefined, (error) => error);
  ok(error instanceof RegistryError, String(error));
  return error;
}

Deno.test("a push sends what the registry lacks: blobs by their digest, then the manifest, and the second push nothing", () =>
  inWorld({}, async ({ registry, image, push, base }) => {
    const one = await image("me/one", "1");
    const { missing, sent } = await push([one]);
    same(missing, ["me/one"]);
    const blobs = [one.image.config.digest, ...one.image.layers.map(({ digest }) => digest)];
    same([...registry.blobs.keys()].sort(), blobs.map((digest) => `me/one ${digest}`).sort());
    same(registry.blobs.get(`me/one ${base.digest}`), await Deno.readFile(base.path));
    same(registry.manifests.get("me/one t1"), one.image.manifest.contents);
    equal(sent, one.image.config.contents.length + one.image.layers.reduce((sum, { bytes }) => sum + bytes, 0));
    equal(registry.requests.at(-1), "PUT /v2/me/one/manifests/t1");

    registry.requests.length = 0;
    same(await push([one]), { missing: [], sent: 0, pauses: [] });
    same(registry.requests, ["GET /v2/", "HEAD /v2/me/one/manifests/t1"]);
  }));

Deno.test("a changed image is sent without the layers that are there", () =>
  inWorld({}, async ({ registry, image, push, base }) => {
    await push([await image("me/one", "1")]);
    registry.requests.length = 0;
    const changed = await image("me/one", "2");
    const { sent } = await push([changed]);
    ok(sent < base.bytes, `${sent} bytes`);
    equal(registry.count("PATCH"), 2, "its own layer and its config");
  }));

Deno.test("a layer that two images share is uploaded once and mounted from there; where that is refused it is uploaded again", async () => {
  await inWorld({}, async ({ registry, image, push, base }) => {
    await push([await image("me/one", "1"), await image("me/two", "2")]);
    equal(registry.count("PATCH"), 5);
    ok(registry.requests.includes(`POST /v2/me/two/blobs/uploads/?mount=${base.digest}&from=me%2Fone`), registry.requests.join("\n"));
    same(registry.blobs.get(`me/two ${base.digest}`), await Deno.readFile(base.path));
  });
  await inWorld({ mounts: false }, async ({ registry, image, push }) => {
    await push([await image("me/one", "1"), await image("me/two", "2")]);
    equal(registry.count("PATCH"), 6);
    equal(registry.manifests.size, 2);
  });
});

Deno.test("an upload that breaks is begun anew, and one whose bytes were lost too", async () => {
  let broken = 0;
  const before: FakeRegistryOptions["before"] = async (request) => {
    if (request.method !== "PATCH" || broken === 2) return undefined;
    broken++;
    // First as a gateway does, then as one that took bytes and lost them.
    if (broken === 1) return problem(502, "UNKNOWN", "bad gateway");
    await request.arrayBuffer();
    return new Response(null, { status: 202, headers: { Location: new URL(request.url).pathname } });
  };
  await inWorld({ before }, async ({ registry, image, push }) => {
    const one = await image("me/one", "1");
    await push([one]);
    equal(broken, 2);
    equal(registry.blobs.size, 3);
    equal(registry.count("PATCH"), 5);
  });
});

Deno.test("5xx and 429 are tried again after a pause that grows or that the registry names, and then given up", async () => {
  let answers = [problem(503, "UNAVAILABLE", "soon"), problem(429, "TOOMANYREQUESTS", "slower", { "Retry-After": "3" })];
  const before = (request: Request) => request.method === "POST" ? answers.shift() : undefined;
  await inWorld({ before }, async ({ image, push }) => {
    same((await push([await image("me/one", "1")])).pauses, [200, 3000]);
  });
  answers = Array.from({ length: 12 }, () => problem(503, "UNAVAILABLE", "not today"));
  await inWorld({ before }, async ({ image, push }) => {
    const { failure } = await failing(push([await image("me/one", "1")]));
    same(failure, { is: "answered", status: 503, said: "UNAVAILABLE: not today" });
  });
});

/** Wants a token of its own for each scope. */
function tokenRegistry(
  seen: { authorization: string | null; query: string }[],
  grants: (query: URLSearchParams) => string,
): FakeRegistryOptions["before"] {
  return (request, url) => {
    const authorization = request.headers.get("authorization");
    if (url.pathname === "/token") {
      seen.push({ authorization, query: decodeURIComponent(url.search) });
      if (authorization !== `Basic ${btoa("me:secret")}`) return new Response("who?", { status: 401 });
      return Response.json({ token: grants(url.searchParams), expires_in: 300 });
    }
    const repository = /^\/v2\/(me\/\w+)\//.exec(url.pathname)?.[1];
    if (repository && authorization?.startsWith("Bearer ") && authorization.includes(`${repository}:pull,push`)) return undefined;
    const challenge = `Bearer realm="http://${url.host}/token",service="here"`;
    return problem(401, "UNAUTHORIZED", "authentication required", { "WWW-Authenticate": challenge });
  };
}

Deno.test("a registry with tokens is shown one for each repository, had with the user's name and password", async () => {
  const seen: { authorization: string | null; query: string }[] = [];
  await inWorld({ before: tokenRegistry(seen, (query) => query.getAll("scope").join(" ")) }, async ({ registry, image, push }) => {
    await push([await image("me/one", "1"), await image("me/two", "2")], CREDENTIALS);
    equal(registry.manifests.size, 2);
    ok(seen.some(({ query }) => query === "?service=here&scope=repository:me/one:pull,push&account=me"), JSON.stringify(seen));
    ok(seen.some(({ query }) => query.includes("scope=repository:me/two:pull,push&scope=repository:me/one:pull")), "to mount, both");
    equal(seen.length, 3);
  });
});

Deno.test("a token that runs out on the way is asked for again", async () => {
  let spent = false;
  const seen: { authorization: string | null; query: string }[] = [];
  const tokens = tokenRegistry(seen, (query) => query.getAll("scope").join(" "));
  const before: FakeRegistryOptions["before"] = (request, url) => {
    if (spent || request.method !== "POST" || url.pathname === "/token") return tokens?.(request, url);
    spent = true;
    return problem(401, "UNAUTHORIZED", "token expired", { "WWW-Authenticate": `Bearer realm="http://${url.host}/token",service="here"` });
  };
  await inWorld({ before }, async ({ registry, image, push }) => {
    await push([await image("me/one", "1")], CREDENTIALS);
    equal(registry.manifests.size, 1);
    ok(spent);
    equal(seen.length, 2);
  });
});

Deno.test("no credentials, wrong ones, and ones without the right are told apart, and no secret is in an error", async () => {
  const tokens = tokenRegistry([], (query) => query.getAll("scope").join(" "));
  await inWorld({ before: tokens }, async ({ image, push }) => {
    const one = await image("me/one", "1");
    const nobody = await failing(push([one]));
    same([nobody.failure.is, "credentials" in nobody.failure && nobody.failure.credentials], ["unauthorized", undefined]);
    const wrong = await failing(push([one], { ...CREDENTIALS, password: "hunter2" }));
    same([wrong.failure.is, "credentials" in wrong.failure && wrong.failure.credentials], ["unauthorized", "a file"]);
    ok(!JSON.stringify([wrong.message, wrong.failure, wrong.stack]).includes("hunter2"));
  });
  const before = (request: Request) =>
    request.method === "POST" ? problem(403, "DENIED", "requested access to the resource is denied") : undefined;
  await inWorld({ before }, async ({ image, push }) => {
    const { failure, doing } = await failing(push([await image("me/one", "1")], CREDENTIALS));
    same(failure, { is: "denied", credentials: "a file", said: "DENIED: requested access to the resource is denied" });
    equal(doing, "push me/one");
  });
});

Deno.test("Basic authentication sends name and password, and only to the registry itself", async () => {
  await using elsewhere = new FakeRegistry();
  const strangers: (string | null)[] = [];
  await using other = new FakeRegistry({ before: (request) => (strangers.push(request.headers.get("authorization")), undefined) });
  const before: FakeRegistryOptions["before"] = (request, url) => {
    if (request.headers.get("authorization") !== `Basic ${btoa("me:secret")}`) {
      return problem(401, "UNAUTHORIZED", "who?", { "WWW-Authenticate": 'Basic realm="here"' });
    }
    // As registries do that keep blobs at a cloud's storage.
    if (request.method === "POST") {
      return new Response(null, { status: 202, headers: { Location: `http://${other.registry}${url.pathname}x` } });
    }
    return undefined;
  };
  await inWorld({ before }, async ({ image, push }) => {
    await failing(push([await image("me/one", "1")], CREDENTIALS));
    ok(strangers.length > 0);
    same([...new Set(strangers)], [null]);
  });
  equal(elsewhere.requests.length, 0);
});

Deno.test("nothing is sent without TLS but to this machine: not where an upload leads to, nor where tokens come from", async () => {
  const upload = () => new Response(null, { status: 202, headers: { Location: "http://storage.example/upload" } });
  await inWorld({ before: (request) => request.method === "POST" ? upload() : undefined }, async ({ image, push }) => {
    const { failure } = await failing(push([await image("me/one", "1")]));
    same(failure, { is: "strange", said: "it leads to http://storage.example, without TLS" });
  });
  const challenge = () => problem(401, "X", "x", { "WWW-Authenticate": 'Bearer realm="http://tokens.example/t"' });
  await inWorld({ before: challenge }, async ({ image, push }) => {
    const { failure } = await failing(push([await image("me/one", "1")], CREDENTIALS));
    same(failure, { is: "strange", said: "it wants credentials sent to http://tokens.example, without TLS" });
  });
});

Deno.test("an identity token is not sent on to where the token server leads", async () => {
  for (const status of [302, 307, 308]) {
    const asked: string[] = [];
    await using elsewhere = new FakeRegistry({
      before: async (request) => {
        asked.push(await request.text());
        return Response.json({ token: "t" });
      },
    });
    const before = (_: Request, { pathname, host }: URL) => {
      if (pathname === "/token") return new Response(null, { status, headers: { Location: `http://${elsewhere.registry}/token` } });
      return problem(401, "UNAUTHORIZED", "no", { "WWW-Authenticate": `Bearer realm="http://${host}/token"` });
    };
    await inWorld({ before }, async ({ image, push }) => {
      const { failure, message } = await failing(push([await image("me/app", "1")], { ...CREDENTIALS, identityToken: "refresh" }));
      ok(failure.is === "strange" && failure.said.endsWith(`wants credentials sent on to http://${elsewhere.registry}`), message);
      same(asked, []);
    });
  }
});

Deno.test("a registry with TLS is verified, on this machine too, by the authorities that it was given", async () => {
  const ca = await certificateAuthority({ commonName: "test", days: 1, now: new Date() });
  const certificate = await ca.issue({ names: ["127.0.0.1"], days: 1, now: new Date() });
  await inWorld({ certificate }, async ({ registry, image, push }) => {
    await push([await image("me/one", "1")], undefined, [ca.certPem]);
    equal(registry.manifests.size, 1);
    registry.manifests.clear();
    equal((await failing(push([await image("me/one", "1")], CREDENTIALS))).failure.is, "unreachable");
    equal(registry.manifests.size, 0);
  });
});

Deno.test("a registry that is not there is unreachable, with the reason, after all tries", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const registry = `127.0.0.1:${listener.addr.port}`;
  listener.close();
  const pauses: number[] = [];
  using client = new RegistryClient({
    registry,
    credentials: undefined,
    userAgent: "test",
    signal: new AbortController().signal,
    pause: (ms) => Promise.resolve(void pauses.push(ms)),
  });
  const { failure } = await failing(client.request({ method: "GET", target: "/v2/", scopes: [], doing: "reach it" }));
  match(failure.is === "unreachable" ? failure.said : failure.is, /refused/i);
  equal(pauses.length, 3);
});
