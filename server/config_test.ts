import assert from "node:assert/strict";
import { parseServerArgs } from "./config.ts";

const LEAST = ["--session=kurun-1", "--instance=pod-1"];

Deno.test("the server's arguments are read, with the last of those that count once", () => {
  const { session, instance, ...rest } = parseServerArgs(LEAST);
  assert.deepEqual([session, instance], ["kurun-1", "pod-1"]);
  assert.deepEqual(rest, {
    controlPort: 8333,
    requestPorts: [8444],
    services: [],
    holdMs: 3000,
    fallback: "error",
    secretDir: "/kurun/session",
    verbose: false,
    alpn: [],
    copyBase: false,
  });
  const more = parseServerArgs([
    ...LEAST,
    ...["--request-port=80", "--request-port=443", "--service=a.b.svc:80", "--alpn=h2", "--alpn=http/1.1", "--hold-ms=1", "--hold-ms=0"],
    ...["--verbose", "--copy-base", "--tls-dir=/tls", "--run=/run=1", "--base=/base", "--fallback=allow", "--control-port=1"],
  ]);
  assert.deepEqual(more, {
    ...{
      session,
      instance,
      controlPort: 1,
      requestPorts: [80, 443],
      services: ["a.b.svc:80"],
      holdMs: 0,
      fallback: "allow",
      verbose: true,
    },
    ...{ secretDir: "/kurun/session", tlsDir: "/tls", alpn: ["h2", "http/1.1"], run: "/run=1", base: "/base", copyBase: true },
  });
});

Deno.test("a wrong argument of the server is named", () => {
  const message = (...args: string[]) => {
    try {
      return parseServerArgs([...LEAST, ...args]);
    } catch (error) {
      return (error as Error).message;
    }
  };
  for (const arg of ["--sessions=a", "--session", "session=a", "--verbose=1", "x"]) {
    assert.equal(message(arg), `${arg} is not an argument of the server`);
  }
  assert.equal(message("--session="), "--session and --instance are required");
  assert.equal(message("--fallback=no"), "--fallback must be error or allow, got no");
  assert.equal(message("--control-port=0"), "--control-port must be 1 to 65535, got 0");
  assert.equal(message("--request-port=1e3"), "--request-port must be 1 to 65535, got 1e3");
});
