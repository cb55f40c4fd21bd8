// A client at module scope that is brought to its edges: see edges.ts.
import { env } from "cloudflare:workers";
import { createClient } from "client-under-test";
import type { SeawallClient } from "../../../js/src/client.ts";
import { answerOf } from "./edges.ts";

const db = createClient({ url: env.DATABASE_URL, ...env.OPTIONS }) as unknown as SeawallClient;

export default {
  fetch: async (request: Request): Promise<Response> => Response.json(await answerOf(db, new URL(request.url))),
};
