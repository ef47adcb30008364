import { deepStrictEqual as same, strictEqual as equal } from "node:assert/strict";
import { isLoopback, parseRepository, registryHost } from "./registry_repository.ts";

Deno.test("parseRepository() tells hosts from Docker Hub's users as image names do", () => {
  const cases: [string, string, string][] = [
    ["registry.example/me", "registry.example", "me"],
    ["registry.example:5000/me/a-b/c.d_e", "registry.example:5000", "me/a-b/c.d_e"],
    ["localhost:5000", "localhost:5000", ""],
    ["localhost/me", "localhost", "me"],
    ["build:5000/me", "build:5000", "me"],
    ["[::1]:5000/me", "[::1]:5000", "me"],
    ["me", "docker.io", "me"],
    ["me/app", "docker.io", "me/app"],
    ["index.docker.io/me", "docker.io", "me"],
    ["registry.example/me/", "registry.example", "me"],
  ];
  for (const [text, registry, path] of cases) same(parseRepository(text), { registry, path }, text);
  for (
    const text of [
      "",
      "https://registry.example/me",
      "registry.example/Me",
      "a b",
      "registry.example/me:tag",
      "docker.io",
      "-a",
      "me//app",
      "localhost:99999/me",
      "300.1.1.1:5000/me",
    ]
  ) {
    equal(parseRepository(text), undefined, text);
  }
  equal(registryHost("docker.io"), "registry-1.docker.io");
  equal(registryHost("registry.example"), "registry.example");
});

Deno.test("isLoopback() is true of this machine only", () => {
  for (const host of ["localhost", "localhost:5000", "127.0.0.1", "127.1.2.3:80", "[::1]:5000"]) equal(isLoopback(host), true, host);
  for (const host of ["localhost.example", "127.0.0.1.example", "10.0.0.1:5000", "registry.example", "1127.0.0.1"]) {
    equal(isLoopback(host), false, host);
  }
});
