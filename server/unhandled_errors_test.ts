import assert from "node:assert/strict";

/** Code whose errors nothing handles. */
const ESCAPED: Readonly<Record<string, string>> = {
  "a rejected promise": `Promise.reject(new Error("this one"))`,
  "a rejection that is not an Error": `Promise.reject("this one")`,
  "an error in a timer": `setTimeout(() => { throw new Error("this one"); }, 0)`,
  "an error in a listener of a node socket": `
    const { createServer, connect } = await import("node:net");
    const server = createServer((socket) => socket.on("data", () => { throw new Error("this one"); }).on("error", () => {}));
    server.listen(0, "127.0.0.1", () => connect(server.address().port, "127.0.0.1").write("x"));`,
};

for (const [name, code] of Object.entries(ESCAPED)) {
  Deno.test(`the server logs it and keeps running: ${name}`, async () => {
    const program = `
      import { logUnhandledErrors } from ${JSON.stringify(new URL("unhandled_errors.ts", import.meta.url).href)};
      logUnhandledErrors(console.log);
      setTimeout(() => { console.log("alive"); Deno.exit(0); }, 500);
      ${code}`;
    const { code: exitCode, stdout } = await new Deno.Command(Deno.execPath(), { args: ["eval", "-q", program] }).output();
    const said = new TextDecoder().decode(stdout);
    assert.match(said, /^this is a bug in kurun, please report it: (unhandled rejection|uncaught error): .*this one[^]*^alive$/m);
    assert.equal(exitCode, 0);
  });
}
