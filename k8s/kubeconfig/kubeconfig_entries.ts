/**
 * The types of a kubeconfig's entries, and how their values are read: as client-go's `clientcmd/api/v1` decodes them, so a value of a wrong
 * type is an error anywhere, null counts as absent, and unknown fields are ignored. Pure.
 */

/** How a value is read: `[shape]` is a list, `{ "*": shape }` a mapping with any names, any other mapping has these fields. */
type Shape = "text" | "base64" | "flag" | "anything" | readonly [Shape] | { readonly [field: string]: Shape };

/** What reading a value of a shape returns. */
type Decoded<S> = S extends "text" | "base64" ? string
  : S extends "flag" ? boolean
  : S extends "anything" ? unknown
  : S extends readonly [infer Item] ? readonly Decoded<Item>[]
  : S extends { readonly "*": infer Value } ? Readonly<Record<string, Decoded<Value>>>
  : { readonly [K in keyof S]?: Decoded<S[K]> };

const CLUSTER = {
  server: "text",
  "tls-server-name": "text",
  "insecure-skip-tls-verify": "flag",
  "certificate-authority": "text",
  "certificate-authority-data": "base64",
  "proxy-url": "text",
  "disable-compression": "flag",
  extensions: [{ name: "text", extension: "anything" }],
} as const satisfies Shape;
const EXEC = {
  command: "text",
  args: ["text"],
  env: [{ name: "text", value: "text" }],
  apiVersion: "text",
  installHint: "text",
  provideClusterInfo: "flag",
  interactiveMode: "text",
} as const satisfies Shape;
const USER = {
  "client-certificate": "text",
  "client-certificate-data": "base64",
  "client-key": "text",
  "client-key-data": "base64",
  token: "text",
  tokenFile: "text",
  as: "text",
  "as-uid": "text",
  "as-groups": ["text"],
  "as-user-extra": { "*": ["text"] },
  username: "text",
  password: "text",
  "auth-provider": { name: "text", config: { "*": "text" } },
  exec: EXEC,
} as const satisfies Shape;
const CONTEXT = { cluster: "text", user: "text", namespace: "text" } as const satisfies Shape;
const KUBECONFIG = {
  kind: "text",
  apiVersion: "text",
  "current-context": "text",
  clusters: [{ name: "text", cluster: CLUSTER }],
  users: [{ name: "text", user: USER }],
  contexts: [{ name: "text", context: CONTEXT }],
} as const satisfies Shape;

/** A cluster. An empty text is the same as a missing one, here and in the other entries. */
export type ClusterEntry = Decoded<typeof CLUSTER>;
/** An exec plugin. */
export type ExecEntry = Decoded<typeof EXEC>;
/** A user. */
export type UserEntry = Decoded<typeof USER>;
/** A context. */
export type ContextEntry = Decoded<typeof CONTEXT>;
/** A kubeconfig file. */
export type KubeconfigFields = Decoded<typeof KUBECONFIG>;

/** The known fields of a decoded file. @throws TypeError that names the field and the type, never the value, which may be a secret */
export function kubeconfigFields(value: unknown): KubeconfigFields {
  return read(value, KUBECONFIG, "") as KubeconfigFields ?? {};
}

/** @returns undefined for null, which Go treats as absent */
function read(value: unknown, shape: Shape, where: string): unknown {
  if (value === null || value === undefined) return undefined;
  if (shape === "anything") return value;
  if (shape === "text" || shape === "base64") {
    if (typeof value !== "string") throw wrong(where, "text", value);
    if (shape === "base64" && !/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(value.replace(/[\r\n]/g, ""))) {
      throw new TypeError(`${where} is not valid base64`);
    }
    return value;
  }
  if (shape === "flag") {
    if (typeof value !== "boolean") throw wrong(where, "true or false", value);
    return value;
  }
  if (isList(shape)) {
    if (!Array.isArray(value)) throw wrong(where, "a list", value);
    // A null in a list is an empty item.
    return value.map((item, index) => read(item, shape[0], `${where}[${index}]`) ?? (typeof shape[0] === "string" ? "" : {}));
  }
  if (typeof value !== "object" || Array.isArray(value)) throw wrong(where || "the file", "a mapping", value);
  const fields = Object.entries(value).map(([name, item]) => {
    const inner = shape["*"] ?? (Object.hasOwn(shape, name) ? shape[name] : undefined);
    return [name, inner && read(item, inner, where === "" ? name : `${where}.${name}`)] as const;
  });
  return Object.fromEntries(fields.filter(([, item]) => item !== undefined));
}

function isList(shape: Shape): shape is readonly [Shape] {
  return Array.isArray(shape);
}

function wrong(where: string, expected: string, value: unknown): TypeError {
  const type = typeof value === "string" ? "text" : `a ${typeof value}`;
  const seen = Array.isArray(value) ? "a list" : typeof value === "object" ? "a mapping" : type;
  const hint = expected === "text" && typeof value !== "object" ? ": quote it" : "";
  return new TypeError(`${where} must be ${expected}, got ${seen}${hint}`);
}
