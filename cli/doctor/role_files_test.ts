import assert from "node:assert/strict";
import { userInfo } from "node:os";
import { PURPOSES } from "../../k8s/session/role_rules.ts";
import { WEBHOOK_PREFIX, webhookService } from "../session/default_service.ts";

const ROOT = new URL("../../", import.meta.url);

for (const purpose of PURPOSES) {
  Deno.test(`docs/rbac-${purpose}.yaml is what kurun doctor --rbac --for ${purpose} prints, but for any namespace`, async () => {
    // Nobody listens at port 1, so kurun does not know the user's name and prints the placeholder.
    const args = ["run", "-A", "--no-check", "main.ts", "doctor", "--rbac", "--for", purpose, "-n", "default", "-s", "http://127.0.0.1:1"];
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args,
      cwd: ROOT,
      env: { NO_COLOR: "1", KUBECONFIG: "/dev/null" },
    }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    const printed = new TextDecoder().decode(stdout);
    assert.match(printed, /^ {2}namespace: default$/m);
    const anywhere = printed.replaceAll(/^ {2}namespace: default\n/gm, "").replace("kubectl apply -n default ", "kubectl apply ")
      .replaceAll(webhookService(userInfo().username), `${WEBHOOK_PREFIX}NAME`);
    assert.equal(await Deno.readTextFile(new URL(`docs/rbac-${purpose}.yaml`, ROOT)), anywhere);
  });
}
