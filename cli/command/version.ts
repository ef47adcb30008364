import config from "../../deno.json" with { type: "json" };

/** kurun's version. */
export const VERSION: string = config.version;
/** The image of kurun's Pod that goes with it. */
export const SERVER_IMAGE: string = `ghcr.io/kurun-dev/server:${VERSION}`;
