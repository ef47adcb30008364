import assert from "node:assert/strict";
import { ServiceRefusedError } from "../../k8s/session/service/claim_service.ts";
import { describeRefusal } from "./describe_refusal.ts";

Deno.test("objects that are not deleted in time are named, with what keeps them", () => {
  const stuck = (...going: string[]) => describeRefusal(new ServiceRefusedError({ is: "stuck", going, seconds: 30 }, "dev", "hook"));
  assert.equal(
    stuck("service/hook"),
    "service/hook in namespace dev is still being deleted after 30 s. Check its finalizers (kubectl get -o yaml), " +
      "or choose another name with --servicename",
  );
  assert.match(stuck("pod/a", "pod/b"), /^pod\/a, pod\/b in namespace dev are still being deleted after 30 s\. Check their finalizers /);
});

Deno.test("labels that other Services may select are refused with the rights to ask for", () => {
  const shared = { is: "shared", others: [], labels: { app: "hook" }, joins: true } as const;
  assert.equal(
    describeRefusal(new ServiceRefusedError(shared, "dev", "hook")),
    "Other Services, which you may not list, may select Pods with the labels app=hook: with them, kurun's Pod would get their callers too.\n" +
      "Ask for the right to create and patch endpointslices.discovery.k8s.io in namespace dev (kurun doctor --rbac), so that kurun joins " +
      "Service hook alone, or choose another name with --servicename",
  );
});
