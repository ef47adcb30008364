import { deepStrictEqual as same, match, ok, strictEqual as equal } from "node:assert/strict";
import { FakeRegistry, type FakeRegistryOptions, problem } from "../../tests/fake_registry.ts";
import { certificateAuthority } from "../../tests/certificate_authority.ts";
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
        return { repository, tag: "t1", image: ociImage({ platform, config: { entrypoint: ["/f"] } }, [base, own]) };
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
        const missing = await pushImages(client, images, (bytes) => sent += bytes);
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

Deno.test("a push sends what the registry lacks: blobs by their digest, then the manifest; a second push sends nothing", () =>
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
    equal(registry.count("PATCH"), 1, "its own layer; the config goes by one PUT");
  }));

Deno.test("a layer that two images share is uploaded once and mounted from there; if the mount is ignored, it is uploaded again", async () => {
  await inWorld({}, async ({ registry, image, push, base }) => {
    await push([await image("me/one", "1"), await image("me/two", "2")]);
    equal(registry.count("PATCH"), 3);
    ok(registry.requests.includes(`POST /v2/me/two/blobs/uploads/?mount=${base.digest}&from=me%2Fone`), registry.requests.join("\n"));
    same(registry.blobs.get(`me/two ${base.digest}`), await Deno.readFile(base.path));
  });
  await inWorld({ mounts: false }, async ({ registry, image, push }) => {
    await push([await image("me/one", "1"), await image("me/two", "2")]);
    equal(registry.count("PATCH"), 4);
    equal(registry.manifests.size, 2);
  });
});

Deno.test("an upload starts again if it breaks or its bytes are lost", async () => {
  let broken = 0;
  const before: FakeRegistryOptions["before"] = async (request) => {
    if (request.method !== "PATCH" || broken === 2) return undefined;
    broken++;
    // First as a gateway does, then as a registry that loses the bytes.
    if (broken === 1) return problem(502, "UNKNOWN", "bad gateway");
    await request.arrayBuffer();
    return new Response(null, { status: 202, headers: { Location: new URL(request.url).pathname } });
  };
  await inWorld({ before }, async ({ registry, image, push }) => {
    const one = await image("me/one", "1");
    await push([one]);
    equal(broken, 2);
    equal(registry.blobs.size, 3);
    equal(registry.count("PATCH"), 4);
  });
});

Deno.test("5xx and 429 are retried after growing pauses, or after the registry's Retry-After, and then reported", async () => {
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

/** A registry that wants a token for each scope. */
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

Deno.test("a registry with token authentication gets a token for each repository, obtained with the user's name and password", async () => {
  const seen: { authorization: string | null; query: string }[] = [];
  await inWorld({ before: tokenRegistry(seen, (query) => query.getAll("scope").join(" ")) }, async ({ registry, image, push }) => {
    await push([await image("me/one", "1"), await image("me/two", "2")], CREDENTIALS);
    equal(registry.manifests.size, 2);
    ok(seen.some(({ query }) => query === "?service=here&scope=repository:me/one:pull,push&account=me"), JSON.stringify(seen));
    ok(seen.some(({ query }) => query.includes("scope=repository:me/two:pull,push&scope=repository:me/one:pull")), "to mount, both");
    equal(seen.length, 3);
  });
});

Deno.test("a token that expires during the push is renewed", async () => {
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

Deno.test("missing credentials, wrong ones, and ones without the right are told apart, and no error holds a secret", async () => {
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
});

Deno.test("nothing is sent without TLS except to this machine, neither to an upload's address nor to a token server", async () => {
  const upload = () => new Response(null, { status: 202, headers: { Location: "http://storage.example/upload" } });
  await inWorld({ before: (request) => request.method === "POST" ? upload() : undefined }, async ({ image, push }) => {
    const { failure } = await failing(push([await image("me/one", "1")]));
    same(failure, { is: "strange", said: "it redirects to http://storage.example without TLS" });
  });
  const challenge = () => problem(401, "X", "x", { "WWW-Authenticate": 'Bearer realm="http://tokens.example/t"' });
  await inWorld({ before: challenge }, async ({ image, push }) => {
    const { failure } = await failing(push([await image("me/one", "1")], CREDENTIALS));
    same(failure, { is: "strange", said: "it asks for credentials to be sent to http://tokens.example without TLS" });
  });
});

Deno.test("an identity token does not follow a token server's redirect to another server", async () => {
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
      ok(failure.is === "strange" && failure.said.endsWith(`asks for credentials to be sent on to http://${elsewhere.registry}`), message);
      same(asked, []);
    });
  }
});

/** Answers of registries that differ from distribution's own, each of which a push must survive. `before` gets fresh state for each test. */
const ODD_REGISTRIES: Record<string, () => FakeRegistryOptions["before"]> = {
  "two WWW-Authenticate lines, of which only the second is known": () => (request) => {
    if (request.headers.get("authorization") === `Basic ${btoa("me:secret")}`) return undefined;
    return new Response("{}", { status: 401, headers: [["WWW-Authenticate", "Negotiate"], ["WWW-Authenticate", 'Basic realm="x"']] });
  },
  "a token in access_token alone": () => (request, url) => {
    if (url.pathname === "/token") return Response.json({ access_token: "abc" });
    if (request.headers.get("authorization") === "Bearer abc") return undefined;
    return problem(401, "UNAUTHORIZED", "no", { "WWW-Authenticate": `Bearer realm="http://${url.host}/token"` });
  },
  "a token server that redirects within itself": () => (request, url) => {
    if (url.pathname === "/token") return new Response(null, { status: 301, headers: { Location: `/token/${url.search}` } });
    if (url.pathname === "/token/") return Response.json({ token: "abc" });
    if (request.headers.get("authorization") === "Bearer abc") return undefined;
    return problem(401, "UNAUTHORIZED", "no", { "WWW-Authenticate": `Bearer realm="http://${url.host}/token"` });
  },
  "a token server that refuses tokens for two repositories": () => (request, url) => {
    const scopes = url.searchParams.getAll("scope");
    if (url.pathname === "/token") return scopes.length > 1 ? new Response("no", { status: 403 }) : Response.json({ token: scopes[0] });
    if (request.headers.has("authorization")) return undefined;
    return problem(401, "UNAUTHORIZED", "no", { "WWW-Authenticate": `Bearer realm="http://${url.host}/token"` });
  },
  "every token is good for three requests": () => {
    const uses = new Map<string, number>();
    return (request, url) => {
      if (url.pathname === "/token") return Response.json({ token: crypto.randomUUID() });
      const token = request.headers.get("authorization") ?? "";
      const used = uses.get(token) ?? 0;
      uses.set(token, used + 1);
      if (token !== "" && used < 3) return undefined;
      return problem(401, "UNAUTHORIZED", "expired", {
        "WWW-Authenticate": `Bearer realm="http://${url.host}/token",error="invalid_token"`,
      });
    };
  },
  "HEAD that is not allowed": () => (request) => request.method === "HEAD" ? new Response(null, { status: 405 }) : undefined,
  "HEAD that is forbidden, as for accounts that may only push": () => (request) =>
    request.method === "HEAD" ? new Response(null, { status: 403 }) : undefined,
  "HEAD that is not acceptable": () => (request) => request.method === "HEAD" ? new Response(null, { status: 406 }) : undefined,
  ...Object.fromEntries([400, 403, 404, 405, 429, 500, 501].map((status) => [
    `mount answered with ${status}`,
    () => (_: Request, url: URL) => url.searchParams.has("mount") ? problem(status, "DENIED", "no mount") : undefined,
  ])),
  "mount answered with 202 and no Location": () => (_, url) =>
    url.searchParams.has("mount") ? new Response(null, { status: 202 }) : undefined,
  "mount answered with 200 and a page": () => (_, url) => url.searchParams.has("mount") ? new Response("<html>") : undefined,
  "uploads without chunked bodies": () => (request) =>
    request.headers.has("transfer-encoding") ? new Response("Length Required", { status: 411 }) : undefined,
  "no PATCH": () => (request) => request.method === "PATCH" ? problem(405, "UNSUPPORTED", "no") : undefined,
  "a 416 for the first bytes": () => {
    let once = 1;
    return (request) =>
      request.method === "PATCH" && once-- > 0 ? new Response(null, { status: 416, headers: { Range: "0-0" } }) : undefined;
  },
  "an upload that is forgotten once": () => {
    let once = 1;
    return (request) => request.method === "PATCH" && once-- > 0 ? problem(404, "BLOB_UPLOAD_UNKNOWN", "no such upload") : undefined;
  },
  "Retry-After as a date": () => {
    let once = 1;
    return (request) =>
      request.method === "POST" && once-- > 0
        ? new Response(null, { status: 429, headers: { "Retry-After": new Date(Date.now() + 2_000).toUTCString() } })
        : undefined;
  },
  "everything redirected by 307": () => (_, url) =>
    url.searchParams.has("again") ? undefined : new Response(null, {
      status: 307,
      headers: { Location: `${url.pathname}${url.search}${url.search === "" ? "?" : "&"}again=1` },
    }),
  "408 for the first request of each kind": () => {
    const seen = new Set<string>();
    return ({ method }) => !seen.has(method) && seen.add(method) && method !== "PATCH" ? new Response(null, { status: 408 }) : undefined;
  },
};

for (const [what, make] of Object.entries(ODD_REGISTRIES)) {
  Deno.test(`a push survives ${what}`, () =>
    inWorld({ before: make() }, async ({ registry, image, push, base }) => {
      const images = [await image("me/one", "1"), await image("me/two", "2")];
      await push(images, CREDENTIALS);
      for (const { repository, image: { config, layers, manifest } } of images) {
        same(registry.manifests.get(`${repository} t1`), manifest.contents);
        for (const { digest } of [config, ...layers]) ok(registry.blobs.has(`${repository} ${digest}`), `${repository} ${digest}`);
        same(registry.blobs.get(`${repository} ${base.digest}`), await Deno.readFile(base.path));
      }
    }));
}

Deno.test("the address where an upload continues is resolved as a URL: relative to the answer's own, absolute, with any query", async () => {
  const forms: ((url: URL, id: string) => string)[] = [
    (_, id) => id,
    (_, id) => `./${id}?_state=a%2Bb%3D%3D`,
    (url, id) => `${url.pathname}${id}?`,
    (url, id) => `//${url.host}${url.pathname}${id}?a=b&c`,
    (url, id) => `${url.origin}${url.pathname}${id}`,
    (url, id) => `http://localhost:${url.port}${url.pathname}${id}?_state=a%2Bb%3D%3D`,
  ];
  for (const form of forms) {
    const states: (string | null)[] = [];
    await inWorld({
      location: (url, id) => form(url, id),
      before: (request, url) => {
        if (request.headers.get("authorization") === null) {
          return problem(401, "UNAUTHORIZED", "no", { "WWW-Authenticate": "Basic realm=x" });
        }
        if (url.searchParams.has("digest")) states.push(url.searchParams.get("_state"));
        return undefined;
      },
    }, async ({ registry, image, push }) => {
      await push([await image("me/one", "1")], CREDENTIALS);
      equal(registry.blobs.size, 3);
      const wanted = form(new URL("http://x/"), "").includes("_state") ? "a+b==" : null;
      same([...new Set(states)], [wanted]);
    });
  }
});

Deno.test("a server that is not a registry is reported at once, whatever it answers", async () => {
  const answers: [() => Response, RegExp][] = [
    [() => new Response("404 page not found", { status: 404 }), /\/v2\/ answered 404 404 page not found: it is not a registry/],
    [
      () => new Response("<!doctype html><title>My app</title>", { headers: { "Content-Type": "text/html" } }),
      /answered a web page: it is not/,
    ],
    [() => new Response("", { status: 400 }), /answered 400: it is not a registry/],
    [() => new Response(null, { status: 401 }), /authentication scheme that kurun does not support/],
    [() => new Response(null, { status: 401, headers: { "WWW-Authenticate": "Negotiate" } }), /Basic\): Negotiate$/],
    [
      () => new Response(null, { status: 302, headers: { Location: "http://sso.example/login" } }),
      /redirects to http:\/\/sso\.example without TLS/,
    ],
  ];
  for (const [answer, said] of answers) {
    await inWorld({ before: answer }, async ({ registry, image, push }) => {
      const { failure } = await failing(push([await image("me/one", "1")], CREDENTIALS));
      ok(failure.is === "strange" && said.test(failure.said), JSON.stringify(failure));
      equal(registry.requests.length, 1, "no attempt more");
    });
  }
});

Deno.test("an error is reported in the registry's own words: its codes, a page's title, a token server's reason; so is a long wait", async () => {
  const answers: [Response, number, string][] = [
    [
      new Response("<html>\r\n<head><title>413 Request Entity Too Large</title></head></html>", { status: 413 }),
      413,
      "413 Request Entity Too Large",
    ],
    [new Response("<html><body><h1>Gone</h1>\n<p>for good</p></body></html>", { status: 410 }), 410, "Gone for good"],
    [Response.json({ errors: [null, { code: "A" }, { message: "b" }, { code: 7, message: { c: 1 } }] }, { status: 422 }), 422, "A; b"],
    [Response.json({ errors: "none", message: "mess\u001b[31mage" }, { status: 422 }), 422, "mess [31mage"],
    [new Response("null", { status: 422 }), 422, "null"],
    [problem(429, "TOOMANYREQUESTS", "wait", { "Retry-After": "120" }), 429, "TOOMANYREQUESTS: wait; try again in 120 s"],
  ];
  for (const [answer, status, said] of answers) {
    await inWorld({ before: (request) => request.method === "POST" ? answer.clone() : undefined }, async ({ image, push }) => {
      same((await failing(push([await image("me/one", "1")]))).failure, { is: "answered", status, said });
    });
  }
});

Deno.test("credentials go only where the registry itself sends them: a challenge from an upload's address is not followed", async () => {
  const asked: string[] = [];
  await using storage = new FakeRegistry({
    before: (request, { host, pathname }) => {
      asked.push(`${pathname === "/token" ? "token" : "upload"} ${request.headers.get("authorization")}`);
      return new Response(null, { status: 401, headers: { "WWW-Authenticate": `Bearer realm="http://${host}/token"` } });
    },
  });
  const before: FakeRegistryOptions["before"] = (request) => {
    if (!request.headers.has("authorization")) return problem(401, "UNAUTHORIZED", "no", { "WWW-Authenticate": "Basic" });
    if (request.method !== "POST") return undefined;
    return new Response(null, { status: 202, headers: { Location: `http://${storage.registry}/upload` } });
  };
  await inWorld({ before }, async ({ image, push }) => {
    equal((await failing(push([await image("me/one", "1")], CREDENTIALS))).failure.is, "unauthorized");
    same([...new Set(asked)], ["upload null"]);
  });
});

Deno.test("a registry's certificate is verified, on this machine too, with the given authorities", async () => {
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

Deno.test("a registry that does not listen is unreachable, with the reason, after all attempts", async () => {
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
