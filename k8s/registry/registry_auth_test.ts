import { deepStrictEqual as same, strictEqual as equal } from "node:assert/strict";
import { SeededRandom } from "../../tests/seeded_random.ts";
import { basic, parseChallenge, tokenRequest } from "./registry_auth.ts";

Deno.test("parseChallenge() reads what registries ask for", () => {
  const cases: [string, unknown][] = [
    ['Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:me/app:pull,push"', {
      is: "bearer",
      realm: "https://auth.docker.io/token",
      service: "registry.docker.io",
      scope: "repository:me/app:pull,push",
    }],
    ["bearer Realm=https://r.example/token", { is: "bearer", realm: "https://r.example/token", service: undefined, scope: undefined }],
    ['Basic realm="a \\"quoted\\", name"', { is: "basic" }],
    // Several, as Azure and GitLab have sent them; Bearer is the one that takes no password along with each request.
    ['Basic realm="x", Bearer realm="https://r.example/t", service="s"', {
      is: "bearer",
      realm: "https://r.example/t",
      service: "s",
      scope: undefined,
    }],
    // Two header lines, as proxies of Active Directory send them.
    ['Negotiate, Basic realm="x"', { is: "basic" }],
    ['NTLM, Negotiate, basic REALM="x"', { is: "basic" }],
    ['Negotiate YIIZqQ==, Basic realm="x"', { is: "basic" }],
    ['Negotiate YIIZqQ== , Bearer realm="https://r.example/t"', {
      is: "bearer",
      realm: "https://r.example/t",
      service: undefined,
      scope: undefined,
    }],
    ['Digest realm="a, Basic b", qop="auth,auth-int", nonce="x=", Basic realm="y"', { is: "basic" }],
    ['Digest realm="Basic realm", nonce="y"', undefined],
    [", ,Basic", { is: "basic" }],
    ["Basic,", { is: "basic" }],
    ["Basic realm=x; charset=UTF-8", { is: "basic" }],
    ['Basic realm="not closed', { is: "basic" }],
    // A realm that is not a URL cannot be asked.
    ['Bearer realm="registry", Basic realm="registry"', { is: "basic" }],
    ['Bearer   realm = "https://r.example/t" , service = "s, \\"t\\""', {
      is: "bearer",
      realm: "https://r.example/t",
      service: 's, "t"',
      scope: undefined,
    }],
    ["Negotiate", undefined],
    ["Bearer", undefined],
    ["", undefined],
  ];
  for (const [header, expected] of cases) same(parseChallenge(header), expected, header);
});

Deno.test("parseChallenge() finds a known scheme in any order, spacing and case of generated headers", () => {
  const random = new SeededRandom(13);
  const known = ['Basic realm="a, Bearer b"', "bAsIc realm=plain", 'Basic realm="x", charset="UTF-8"', "Basic"];
  const others = ["Negotiate", "NTLM TlRMTVNTUAAB==", 'Digest realm="Basic x", qop="auth,auth-int", nonce="a=="', 'Custom a="\\"Basic\\""'];
  for (let round = 0; round < 300; round++) {
    const list = Array.from({ length: random.below(4) }, () => random.pick(others));
    const hasBasic = random.chance(0.5);
    if (hasBasic) list.splice(random.below(list.length + 1), 0, random.pick(known));
    const headers = new Headers();
    for (const one of list) headers.append("WWW-Authenticate", one + random.pick(["", ",", " "]));
    const joined = headers.get("www-authenticate") ?? "";
    for (const header of [joined, list.join(random.pick([",", " , ", ",\t", ", ,"]))]) {
      same(parseChallenge(header), hasBasic ? { is: "basic" } : undefined, header);
    }
  }
});

Deno.test("tokenRequest() asks with name and password, anonymously, or by OAuth2 with a refresh token", async () => {
  const challenge = { is: "bearer", realm: "https://r.example/token?tenant=a", service: "reg one", scope: undefined } as const;
  const scopes = ["repository:me/app:pull,push", "repository:me/base:pull"];
  const user = tokenRequest(challenge, scopes, { username: "me", password: "pä:ss" });
  equal(user.method, "GET");
  same([...user.url.searchParams], [
    ["tenant", "a"],
    ["service", "reg one"],
    ["scope", scopes[0]],
    ["scope", scopes[1]],
    ["account", "me"],
  ]);
  equal(user.authorization, `Basic ${btoa(String.fromCharCode(...new TextEncoder().encode("me:pä:ss")))}`);
  same(tokenRequest(challenge, scopes, undefined).authorization, undefined);
  const oauth = tokenRequest(challenge, scopes, { username: "", password: "", identityToken: "refresh" });
  equal(oauth.method, "POST");
  equal(oauth.url.searchParams.has("refresh_token"), false);
  same(Object.fromEntries(new URLSearchParams(await new Response(oauth.body?.()).text())), {
    grant_type: "refresh_token",
    refresh_token: "refresh",
    client_id: "kurun",
    scope: scopes.join(" "),
    service: "reg one",
  });
});

Deno.test("basic() encodes names and passwords as UTF-8", () => {
  equal(basic({ username: "a", password: "b" }), "Basic YTpi");
});
