import { deepStrictEqual as same, strictEqual as equal } from "node:assert/strict";
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
    ["Negotiate", undefined],
    ["Bearer", undefined],
    ["", undefined],
  ];
  for (const [header, expected] of cases) same(parseChallenge(header), expected, header);
});

Deno.test("tokenRequest() asks by name and password, as nobody, or by OAuth2 with a refresh token", async () => {
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
  equal(user.headers.Authorization, `Basic ${btoa(String.fromCharCode(...new TextEncoder().encode("me:pä:ss")))}`);
  same(tokenRequest(challenge, scopes, undefined).headers, {});
  const oauth = tokenRequest(challenge, scopes, { username: "", password: "", identityToken: "refresh" });
  equal(oauth.method, "POST");
  equal(oauth.url.searchParams.has("refresh_token"), false);
  same(Object.fromEntries(new URLSearchParams(await new Response(oauth.body).text())), {
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
