/** A program on a laptop, for a Service in the cluster to reach: `deno run --allow-net examples/hello/server.ts` */
Deno.serve({ port: 8080, hostname: "localhost" }, (request) => {
  const { pathname } = new URL(request.url);
  return new Response(`Hello from a program on my machine: you asked for ${pathname}\n`);
});
