import assert from "node:assert/strict";
import { parseProxyUrl, proxyFromEnvironment } from "./http_proxy.ts";

function proxyOf(server: string, variables: Record<string, string>): string | undefined {
  return proxyFromEnvironment(new URL(server), { get: (name) => variables[name] })?.href;
}

Deno.test("proxyFromEnvironment() uses the variable for the server's scheme, in upper or lower case", () => {
  const variables = { HTTPS_PROXY: "http://secure:3128", "http_proxy": "plain:3128" };
  assert.equal(proxyOf("https://api.example", variables), "http://secure:3128/");
  assert.equal(proxyOf("http://api.example", variables), "http://plain:3128/");
  assert.equal(proxyOf("https://api.example", { "https_proxy": "http://small", HTTPS_PROXY: "" }), "http://small/");
  assert.equal(proxyOf("https://api.example", {}), undefined);
});

Deno.test("proxyFromEnvironment() never uses a proxy for this machine", () => {
  for (const host of ["localhost", "127.0.0.1", "127.1.2.3", "[::1]"]) {
    assert.equal(proxyOf(`https://${host}:6443`, { HTTPS_PROXY: "http://p" }), undefined, host);
  }
});

Deno.test("proxyFromEnvironment() obeys NO_PROXY by Go's rules", () => {
  const table: [server: string, noProxy: string, proxied: boolean][] = [
    ["https://api.example.com", "example.com", false],
    ["https://example.com", "example.com", false],
    ["https://badexample.com", "example.com", true],
    ["https://api.example.com", ".example.com", false],
    ["https://example.com", ".example.com", true],
    ["https://api.example.com", "*.example.com", false],
    ["https://API.Example.com", "other.org, EXAMPLE.com ", false],
    ["https://api.example.com:6443", "example.com:6443", false],
    ["https://api.example.com:6443", "example.com:443", true],
    ["https://api.example.com", "example.com:443", false],
    ["https://api.example.com:6443", "example.com:", false],
    ["https://api.example.com.", "example.com.", false],
    ["https://api.example.com.", "example.com", true],
    ["https://10.1.2.3", "10.1.0.0/16", false],
    ["https://10.2.2.3", "10.1.0.0/16", true],
    ["https://10.1.2.3:6443", "10.1.2.3", false],
    ["https://10.1.2.3:6443", "10.1.2.3:6443", false],
    ["https://10.1.2.3:6443", "10.1.2.3:443", true],
    ["https://10.1.2.30", "10.1.2.3", true],
    ["https://[fd00::5]", "fd00::/8", false],
    ["https://[fd00::5]", "fd00:0::5", false],
    ["https://[fd00::5]:6443", "[fd00::5]:6443", false],
    ["https://[fd00::5]", "10.0.0.0/8", true],
    ["https://api.example.com", "*", false],
    ["https://api.example.com", "", true],
    ["https://api.example.com", ",", true],
    ["https://10.1.2.3", "10.1.0.0/99", true],
  ];
  for (const [server, noProxy, proxied] of table) {
    const proxy = proxyOf(server, { HTTPS_PROXY: "http://p", NO_PROXY: noProxy });
    assert.equal(proxy !== undefined, proxied, `${server} with NO_PROXY=${noProxy}`);
  }
});

Deno.test("parseProxyUrl() refuses unsupported proxies, and never shows a password", () => {
  assert.equal(parseProxyUrl("https://jane:pw@proxy:8443").password, "pw");
  for (const text of ["socks4://j:SECRET@p:1080", "ftp://j:SECRET@p", "http://", "http://j:SECRET@p:port"]) {
    assert.throws(() => parseProxyUrl(text), (error: Error) => error instanceof TypeError && !error.message.includes("SECRET"), text);
  }
  for (const before of ["http://", "https://", "HTTP://", "ftp://", "socks5://", ""]) {
    for (const password of ["SECRET", "SECRET/SECRET", "SECRET@SECRET", "x//SECRET@SECRET", "SECRET#SECRET", "SECRET?SECRET", "x SECRET"]) {
      const text = `${before}j:${password}@p:99999`;
      assert.throws(() => parseProxyUrl(text), (error: Error) => error instanceof TypeError && !error.message.includes("SECRET"), text);
    }
  }
});
