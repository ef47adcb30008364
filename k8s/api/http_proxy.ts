import { BlockList, isIP } from "node:net";
import { unbracketed } from "./dial_route.ts";

/**
 * The proxy for a server from the environment, if any: HTTPS_PROXY or HTTP_PROXY, unless NO_PROXY matches the server. By the rules of Go's
 * golang.org/x/net/http/httpproxy, as kubectl.
 * @throws {TypeError} if the proxy's address is invalid
 */
export function proxyFromEnvironment(server: URL, env: { get(name: string): string | undefined }): URL | undefined {
  const get = (name: string) => env.get(name) || env.get(name.toLowerCase()) || "";
  const proxy = get(server.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY");
  if (proxy === "" || !mayUseProxy(server, get("NO_PROXY"))) return undefined;
  return parseProxyUrl(proxy);
}

/** Parses a proxy's address, of HTTP if it has no scheme. @throws {TypeError} if it is not supported; the message does not contain the password */
export function parseProxyUrl(text: string): URL {
  const url = URL.parse(text.includes("://") ? text : `http://${text}`);
  // A password that is not encoded may itself have a slash or an @, and text that is not a URL has no scheme before it.
  const shown = text.replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*@/is, "$1…@");
  if (url === null || url.hostname === "") throw new TypeError(`Cannot use the proxy "${shown}": it is not a URL`);
  if (!["http:", "https:", "socks5:", "socks5h:"].includes(url.protocol)) {
    throw new TypeError(`Cannot use the proxy "${shown}": only http://, https:// and socks5:// are supported`);
  }
  return url;
}

function mayUseProxy(server: URL, noProxy: string): boolean {
  const host = unbracketed(server.hostname).toLowerCase();
  const port = server.port || (server.protocol === "https:" ? "443" : "80");
  if (host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."))) return false;
  return !noProxy.split(",").map((entry) => entry.trim().toLowerCase()).some((entry) => matches(entry, host, port));
}

/** Whether an entry of NO_PROXY matches this host: `*`, a CIDR, or an address or a domain with an optional port. */
function matches(entry: string, host: string, port: string): boolean {
  if (entry === "") return false;
  if (entry === "*") return true;
  const family = isIP(host);
  const [network = "", bits] = entry.split("/", 2);
  if (bits !== undefined) {
    if (family === 0 || isIP(network) !== family || !/^\d+$/.test(bits) || Number(bits) > (family === 4 ? 32 : 128)) return false;
    const list = new BlockList();
    const name = family === 4 ? "ipv4" : "ipv6";
    list.addSubnet(network, Number(bits), name);
    return list.check(host, name);
  }
  const withPort = /^(.*):(\d*)$/.exec(isIP(entry) === 6 ? "" : entry);
  const name = unbracketed(withPort?.[1] ?? entry);
  if (withPort?.[2] && withPort[2] !== port) return false;
  if (isIP(name) !== 0) return family !== 0 && sameAddress(name, host);
  // Domains match names only: "*.2.2" is not the address 10.1.2.2.
  if (name === "" || family !== 0) return false;
  // "example.com" matches the name and its subdomains, ".example.com" and "*.example.com" only its subdomains.
  const domain = name.replace(/^\*(?=\.)/, "");
  return domain.startsWith(".") ? host.endsWith(domain) : host === domain || host.endsWith(`.${domain}`);
}

function sameAddress(a: string, b: string): boolean {
  const canonical = (address: string) => isIP(address) === 6 ? new URL(`http://[${address}]`).hostname : address;
  return canonical(a) === canonical(b);
}
