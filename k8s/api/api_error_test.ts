import assert from "node:assert/strict";
import { ApiError, mayPass } from "./api_error.ts";
import { ConnectionError, type ConnectionErrorKind } from "./connection_error.ts";

Deno.test("mayPass() accepts failed connections, overload and server errors, but no refusal, cancellation or other error", () => {
  const connection = (kind: ConnectionErrorKind) => new ConnectionError(kind, { address: "a:1", detail: "" });
  for (const error of [connection("reset"), connection("timeout"), ...[429, 500, 503].map((status) => new ApiError("", { status }))]) {
    assert.equal(mayPass(error), true, String(error));
  }
  for (const error of [connection("aborted"), ...[403, 404, 409, 410].map((status) => new ApiError("", { status })), new Error("x")]) {
    assert.equal(mayPass(error), false, String(error));
  }
});
