// A Worker whose client stands at module scope: it writes, reads, and hands a token on in a cookie, as the docs show.
import { env } from "cloudflare:workers";
import { createClient } from "seawall";

const db = createClient({
  url: env.DATABASE_URL,
  seawall: { consistency: { database: "own-writes", ...env.CONSISTENCY } },
});
const COOKIE = /(?:^|; )seen=([^;]*)/;

export default {
  async fetch(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/state") return Response.json(db.seawall.status().consistency);
    try {
      const own = db.seawall.withConsistency(COOKIE.exec(request.headers.get("cookie") ?? "")?.[1]);
      if (pathname === "/write") {
        const value = Number(searchParams.get("value"));
        await own.execute({ sql: "UPDATE own_writes SET value = ? WHERE id = 1", args: [BigInt(value)] });
        const token = own.seawall.consistencyToken() ?? "";
        return Response.json({ token }, { headers: { "set-cookie": `seen=${token}; Max-Age=60; HttpOnly; Path=/` } });
      }
      const { rows, seawall } = await own.execute("SELECT value FROM own_writes WHERE id = 1");
      return Response.json({ value: rows[0]?.value, stale: seawall?.stale === true });
    } catch (error) {
      return Response.json({ code: (error as { code?: string }).code }, { status: 500 });
    }
  },
};
