import assert from "node:assert/strict";
import { SeededRandom } from "../../tests/seeded_random.ts";
import { UserError } from "../command/errors.ts";
import { parseUpstream } from "./upstream_url.ts";

for (
  const [text, url, scheme, host, port, more] of [
    ["http://localhost:8080", "http://localhost:8080", "http", "localhost", 8080],
    ["localhost:8080", "http://localhost:8080", "http", "localhost", 8080],
    ["8080", "http://localhost:8080", "http", "localhost", 8080],
    ["http://127.0.0.1", "http://127.0.0.1", "http", "127.0.0.1", 80],
    ["http://[::1]:3000/", "http://[::1]:3000", "http", "::1", 3000],
    ["dev.local:3000/api/v1", "http://dev.local:3000/api/v1", "http", "dev.local", 3000, { path: "/api/v1" }],
    ["http://localhost/a@b:c", "http://localhost/a@b:c", "http", "localhost", 80, { path: "/a@b:c" }],
    ["HTTPS://Dev.Local:443", "https://dev.local", "https", "dev.local", 443, { trust: { insecure: false } }],
    ["https://localhost:8443", "https://localhost:8443", "https", "localhost", 8443, { trust: { insecure: true } }],
    ["https://127.1.2.3:8443", "https://127.1.2.3:8443", "https", "127.1.2.3", 8443, { trust: { insecure: true } }],
    ["https://127.example.com", "https://127.example.com", "https", "127.example.com", 443, { trust: { insecure: false } }],
    ["https://[::1]:8443", "https://[::1]:8443", "https", "::1", 8443, { trust: { insecure: true } }],
    ["tcp://localhost:5432", "tcp://localhost:5432", "tcp", "localhost", 5432],
    ["tcp://my_db:80/", "tcp://my_db:80", "tcp", "my_db", 80],
    ["tls://[::1]:8443", "tls://[::1]:8443", "tls", "::1", 8443],
  ] as const
) {
  Deno.test(`${text} means ${url}`, () => {
    assert.deepEqual(parseUpstream(text), { scheme, url, host, port, path: "/", ...more });
  });
}

/** What parsing says about a mistake. */
function refusal(text: string): string {
  try {
    const { url } = parseUpstream(text);
    assert.fail(`${JSON.stringify(text)} was taken as ${url}`);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    assert.equal(error.exitCode, 2);
    return error.message;
  }
}

for (
  const [text, meant] of [
    ["8080:80", "http://localhost:8080 --serviceport 80"],
    ["localhost:8080:80", "http://localhost:8080 --serviceport 80"],
    ["https://localhost:8443:443", "https://localhost:8443 --serviceport 443"],
    [":8080", "http://localhost:8080"],
    ["svc/web", "http://localhost:PORT --servicename web"],
    ["deployment/web", "http://localhost:PORT --servicename web"],
    ["http:/localhost:8080", "http://localhost:8080"],
    ["http:localhost:8080", "http://localhost:8080"],
    ["http//localhost:8080", "http://localhost:8080"],
    ["http:///localhost:8080", "http://localhost:8080"],
    ["https:8443", "https://localhost:8443"],
    ["http:\\\\localhost:8080", "http://localhost:8080"],
    ["localhost 8080", "localhost:8080"],
    ["::1", "http://[::1]:PORT"],
    ["::1:8080", "http://[::1]:8080"],
    ["tcp://::1:80", "tcp://[::1]:80"],
    ["wss://localhost:8443", "https://localhost:8443"],
    ["postgres://localhost:5432/db", "tcp://localhost:5432"],
    ["tcp://localhost:5432/db", "tcp://localhost:5432"],
    ["tcp://localhost", "tcp://localhost:PORT"],
    ["localhost:8080/a?b", "localhost:8080/a"],
    ["http://", "http://localhost:PORT"],
  ] as const
) {
  Deno.test(`${text} is refused with what was probably meant`, () => {
    const [, suggested] = /Did you mean: kurun port-forward (.*)$/.exec(refusal(text)) ?? [];
    assert.equal(suggested, meant);
    parseUpstream(meant.split(" ")[0]!.replace("PORT", "1234"));
  });
}

for (
  const text of [
    "ftp://localhost",
    "localhost:99999",
    "localhost:65536",
    "localhost:0",
    "localhost:",
    "localhost:-1",
    "localhost:8o",
    "0",
    "70000",
    "",
    "/path",
    "::",
    "a..b:80",
    "%6cocalhost:80",
    "[fe80::1%25eth0]:80",
    "256.1.1.1:80",
    "1.2.3.4.5:80",
  ]
) {
  Deno.test(`${JSON.stringify(text)} is refused`, () => void refusal(text));
}

Deno.test("nothing is suggested for a scheme that is the name of a property of all objects", () => {
  assert.match(refusal("constructor://localhost:1"), /supports http, https, tcp and tls\. Example: http:\/\/localhost:8080$/);
});

for (
  const text of [
    "http://user:secret@localhost",
    "user:secret@localhost:80",
    "tcp://user:secret@localhost:5432",
    "http:user:secret@localhost",
    "http://user:sec/secret@localhost:80",
    "secret@localhost",
  ]
) {
  Deno.test(`${text.replace("secret", "…")} is refused, and the password is not repeated`, () => {
    assert.match(refusal(text), /user name or password/);
    assert.doesNotMatch(refusal(text), /sec/);
  });
}

Deno.test("every URL of a scheme, host, port and path is read as it stands", () => {
  const random = new SeededRandom(20_261_128);
  for (let round = 0; round < 2_000; round++) {
    const scheme = random.pick(["http", "https", "tcp", "tls"] as const);
    const name = () => Array.from({ length: 1 + random.below(8) }, () => random.pick([..."abcxyz019-_"])).join("").replace(/^-|-$/g, "a");
    const host = random.pick([
      `${name()}.x${name()}`,
      Array.from({ length: 4 }, () => random.below(256)).join("."),
      `[2001:db8::${(1 + random.below(0xffff)).toString(16)}]`,
    ]);
    const port = 1 + random.below(65_535);
    const path = scheme === "tcp" || scheme === "tls" ? "" : random.pick(["", "/", "/api", "/a/b@c:d"]);
    const upstream = parseUpstream(`${scheme}://${host}:${port}${path}`);
    assert.deepEqual([upstream.scheme, upstream.host, upstream.port, upstream.path], [
      scheme,
      host.replace(/[[\]]/g, ""),
      port,
      path || "/",
    ]);
    assert.deepEqual(parseUpstream(upstream.url), upstream);
  }
});

Deno.test("every host that the URL standard reads as another IPv4 address is refused", () => {
  const random = new SeededRandom(7);
  const number = () => {
    const value = random.below(256);
    return random.pick([String(value), `0x${value.toString(16)}`, `0${value.toString(8)}`, String(value + 256 * random.below(65_536))]);
  };
  let read = 0;
  for (let round = 0; round < 5_000; round++) {
    const host = Array.from({ length: 1 + random.below(5) }, number).join(".") + random.pick(["", "", "."]);
    const canonical = URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname : undefined;
    if (canonical === host) assert.equal(parseUpstream(`http://${host}:80`).host, host);
    else refusal(`${random.pick(["", "http://", "tcp://"])}${host}:80`);
    if (canonical !== undefined && canonical !== host) read++;
  }
  assert.ok(read > 1_000, `${read} hosts were other addresses`);
});

Deno.test("no text is read as a host that it does not name, and none causes an unexpected error", () => {
  const random = new SeededRandom(99);
  const pieces = [
    "http",
    "https",
    "tcp",
    ":",
    "/",
    "//",
    "localhost",
    "8080",
    "80",
    "1.2.3",
    "@",
    "?",
    "#",
    "[::1]",
    "::",
    "\\",
    " ",
    ".",
    "x",
    "%41",
    "é",
  ];
  for (let round = 0; round < 20_000; round++) {
    const text = Array.from({ length: 1 + random.below(6) }, () => random.pick(pieces)).join("");
    let host: string;
    try {
      host = parseUpstream(text).host;
    } catch (error) {
      assert.ok(error instanceof UserError, `${JSON.stringify(text)}: ${error}`);
      continue;
    }
    assert.ok(
      text.toLowerCase().includes(host) || host.startsWith("xn--") || host.includes(".xn--") || /^\d+$/.test(text),
      `${text}: ${host}`,
    );
  }
});
