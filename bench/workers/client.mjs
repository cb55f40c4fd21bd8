// The Worker around a database client. `bench:client` is replaced by the adapter when it is bundled.
import { open } from "bench:client";
import { answerOf, repeat } from "../cases.mjs";

export default {
  /** @param {Request} request */
  async fetch(request) {
    const { url, id, budgetMs } = await request.json();
    const client = open(url);
    try {
      if (budgetMs === undefined) return new Response(await answerOf(client, id));
      return Response.json(await repeat(client, id, budgetMs));
    } catch (error) {
      return new Response(error instanceof Error ? error.stack : String(error), { status: 500 });
    } finally {
      await client.close();
    }
  },
};
