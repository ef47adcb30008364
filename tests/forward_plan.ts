import type { ForwardPlan } from "../k8s/session/objects/session_plan.ts";

/** The plan of a session at Service `web` in namespace `shop`, without annotations. */
export const FORWARD_PLAN: ForwardPlan = {
  name: "web-kurun-bcdfg",
  namespace: "shop",
  service: "web",
  ports: [{ port: 80, targetPort: 8444 }],
  image: "server:1",
  ttlSeconds: 120,
  holdMs: 3000,
  annotations: {},
};
