/** What went wrong with a registry. */
export type RegistryFailure =
  /** No answer; `said` is the last try's reason. */
  | { readonly is: "unreachable"; readonly said: string }
  /** It does not know who we are: no credentials, or none that it accepts. `credentials` says where they came from. */
  | { readonly is: "unauthorized"; readonly credentials: string | undefined; readonly said: string }
  /** It knows, and does not let us push there. */
  | { readonly is: "denied"; readonly credentials: string | undefined; readonly said: string }
  /** It answered with an error of its own, several times, or with a no. */
  | { readonly is: "answered"; readonly status: number; readonly said: string }
  /** It does not speak the distribution-spec, or asks for what would not be safe. */
  | { readonly is: "strange"; readonly said: string };

/** A registry could not be used. `cli/images/describe_registry_error.ts` makes a sentence of it. */
export class RegistryError extends Error {
  override readonly name = "RegistryError";
  /** Host and port. */
  readonly registry: string;
  /** What was tried, such as `push me/app`. */
  readonly doing: string;
  readonly failure: RegistryFailure;

  constructor(registry: string, doing: string, failure: RegistryFailure, options?: ErrorOptions) {
    super(`${registry}: cannot ${doing}: ${failure.is}`, options);
    this.registry = registry;
    this.doing = doing;
    this.failure = failure;
  }
}

/** What a registry's answer says, on one line: its errors by code and message, else its text; at most 300 characters. */
export function saidByRegistry(text: string): string {
  let said = text;
  try {
    const { errors, details } = JSON.parse(text) as { errors?: { code?: string; message?: string }[]; details?: string };
    if (errors?.length) said = errors.map(({ code, message }) => [code, message].filter(Boolean).join(": ")).join("; ");
    else if (details) said = details;
  } catch {
    // Text, or a proxy's page.
  }
  const line = said.replace(/\s+/g, " ").trim();
  return line.length > 300 ? `${line.slice(0, 300)}…` : line;
}
