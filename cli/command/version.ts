import config from "../../deno.json" with { type: "json" };

/** kurun's version. */
export const VERSION: string = config.version;
