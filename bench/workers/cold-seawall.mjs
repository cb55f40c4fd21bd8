// A cold isolate's first answer through the package: what `cold-plain.mjs` does, with all layers around it.
import { createClient } from "seawall";

export default {
  /** @param {Request} request */
  async fetch(request) {
    const client = createClient({ url: request.headers.get("x-database") ?? "" });
    const { rows } = await client.execute("SELECT 1 AS one");
    return new Response(String(rows[0]?.one));
  },
};
