/**
 * The types of a kubeconfig's entries, and how their values are read: as client-go's `clientcmd/api/v1` decodes them, so a value of a wrong
 * type is an error wherever it stands, null is the same as nothing, and unknown fields are ignored. Pure.
 *
 * @module
 */

/** A cluster. All texts may be empty, which is the same as missing. */
export interface ClusterEntry {
  readonly server?: string;
  readonly "tls-server-name"?: string;
  readonly "insecure-skip-tls-verify"?: boolean;
  /** A path. */
  readonly "certificate-authority"?: string;
  /** Base64. */
  readonly "certificate-authority-data"?: string;
  readonly "proxy-url"?: string;
  readonly "disable-compression"?: boolean;
  readonly extensions?: readonly { readonly name?: string; readonly extension?: unknown }[];
}

/** An exec plugin. */
export interface ExecEntry {
  readonly command?: string;
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name?: string; readonly value?: string }[];
  readonly apiVersion?: string;
  readonly installHint?: string;
  readonly provideClusterInfo?: boolean;
  readonly interactiveMode?: string;
}

/** A user. */
export interface UserEntry {
  readonly "client-certificate"?: string;
  readonly "client-certificate-data"?: string;
  readonly "client-key"?: string;
  readonly "client-key-data"?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly as?: string;
  readonly "as-uid"?: string;
  readonly "as-groups"?: readonly string[];
  readonly "as-user-extra"?: Readonly<Record<string, readonly string[]>>;
  readonly username?: string;
  readonly password?: string;
  readonly "auth-provider"?: { readonly name?: string };
  readonly exec?: ExecEntry;
}

/** A context. */
export interface ContextEntry {
  readonly cluster?: string;
  readonly user?: string;
  readonly namespace?: string;
}

/** A kubeconfig file. */
export interface KubeconfigFields {
  readonly kind?: string;
  readonly "current-context"?: string;
  readonly clusters?: readonly { readonly name?: string; readonly cluster?: ClusterEntry }[];
  readonly users?: readonly { readonly name?: string; readonly user?: UserEntry }[];
  readonly contexts?: readonly { readonly name?: string; readonly context?: ContextEntry }[];
}

/** How a value is read. */
type Shape =
  | "text"
  | "base64"
  | "flag"
  | "anything"
  | { readonly list: Shape }
  | { readonly valuesOf: Shape }
  | { readonly fields: Readonly<Record<string, Shape>> };

const CLUSTER: Shape = {
  fields: {
    server: "text",
    "tls-server-name": "text",
    "insecure-skip-tls-verify": "flag",
    "certificate-authority": "text",
    "certificate-authority-data": "base64",
    "proxy-url": "text",
    "disable-compression": "flag",
    extensions: { list: { fields: { name: "text", extension: "anything" } } },
  },
};
const EXEC: Shape = {
  fields: {
    command: "text",
    args: { list: "text" },
    env: { list: { fields: { name: "text", value: "text" } } },
    apiVersion: "text",
    installHint: "text",
    provideClusterInfo: "flag",
    interactiveMode: "text",
  },
};
const USER: Shape = {
  fields: {
    "client-certificate": "text",
    "client-certificate-data": "base64",
    "client-key": "text",
    "client-key-data": "base64",
    token: "text",
    tokenFile: "text",
    as: "text",
    "as-uid": "text",
    "as-groups": { list: "text" },
    "as-user-extra": { valuesOf: { list: "text" } },
    username: "text",
    password: "text",
    "auth-provider": { fields: { name: "text", config: { valuesOf: "text" } } },
    exec: EXEC,
  },
};
const CONTEXT: Shape = { fields: { cluster: "text", user: "text", namespace: "text" } };
const KUBECONFIG: Shape = {
  fields: {
    kind: "text",
    apiVersion: "text",
    "current-context": "text",
    clusters: { list: { fields: { name: "text", cluster: CLUSTER } } },
    users: { list: { fields: { name: "text", user: USER } } },
    contexts: { list: { fields: { name: "text", context: CONTEXT } } },
  },
};

/** A value has a type that it must not have. The message names the field and the type, never the value, which may be a secret. */
export class FieldError extends Error {
  override readonly name = "FieldError";
}

/** Checks a decoded file. @returns its known fields @throws FieldError */
export function kubeconfigFields(value: unknown): KubeconfigFields {
  return read(value, KUBECONFIG, "") as KubeconfigFields ?? {};
}

/** @returns undefined for null, which Go takes for nothing */
function read(value: unknown, shape: Shape, where: string): unknown {
  if (value === null || value === undefined) return undefined;
  if (shape === "anything") return value;
  if (shape === "text" || shape === "base64") {
    if (typeof value !== "string") throw wrong(where, "text", value);
    if (shape === "base64" && !/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(value.replace(/[\r\n]/g, ""))) {
      throw new FieldError(`${where} is not valid base64`);
    }
    return value;
  }
  if (shape === "flag") {
    if (typeof value !== "boolean") throw wrong(where, "true or false", value);
    return value;
  }
  if ("list" in shape) {
    if (!Array.isArray(value)) throw wrong(where, "a list", value);
    // A null in a list is an empty item.
    return value.map((item, index) => read(item, shape.list, `${where}[${index}]`) ?? (typeof shape.list === "string" ? "" : {}));
  }
  if (typeof value !== "object" || Array.isArray(value)) throw wrong(where || "the file", "a mapping", value);
  const entries = Object.entries(value);
  const known = "fields" in shape ? entries.filter(([name]) => Object.hasOwn(shape.fields, name)) : entries;
  const fields = known.map(([name, item]) => {
    const inner = "fields" in shape ? shape.fields[name] as Shape : shape.valuesOf;
    return [name, read(item, inner, where === "" ? name : `${where}.${name}`)] as const;
  });
  return Object.fromEntries(fields.filter(([, item]) => item !== undefined));
}

function wrong(where: string, expected: string, value: unknown): FieldError {
  const seen = Array.isArray(value)
    ? "a list"
    : typeof value === "object"
    ? "a mapping"
    : typeof value === "string"
    ? "text"
    : `a ${typeof value}`;
  const hint = expected === "text" && typeof value !== "object" ? ": quote it" : "";
  return new FieldError(`${where} must be ${expected}, got ${seen}${hint}`);
}
