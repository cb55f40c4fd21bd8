// Upstash's REST protocol in front of a real Redis: what the commands do is Redis' own.
import { createServer } from "node:http";
import { Redis } from "ioredis";

/**
 * Starts a server that takes `POST /` with one command and `POST /pipeline` with several, as a JSON array each.
 *
 * @param {string} redisUrl
 * @param {string} token
 * @returns {Promise<{ url: string, requests: () => number, stop(): Promise<void> }>}
 */
export async function startUpstashRest(redisUrl, token) {
  const redis = new Redis(redisUrl, { maxRetriesPerRequest: 1 });
  redis.on("error", () => {});
  let requests = 0;

  /** @param {unknown[]} command @param {boolean} isBase64 */
  async function run(command, isBase64) {
    try {
      const [name = "", ...args] = command.map(String);
      const result = await redis.call(name, ...args);
      return { result: isBase64 ? encoded(result) : result };
    } catch (error) {
      return { error: /** @type {Error} */ (error).message };
    }
  }

  const server = createServer(async (request, response) => {
    requests += 1;
    /** @param {number} status @param {unknown} body */
    const answer = (status, body) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(body));
    };
    let text = "";
    for await (const chunk of request.setEncoding("utf8")) text += chunk;
    if (request.headers.authorization !== `Bearer ${token}`) {
      answer(401, { error: "Unauthorized" });
      return;
    }
    const isBase64 = request.headers["upstash-encoding"] === "base64";
    const body = JSON.parse(text);
    if (request.url === "/pipeline") {
      const answers = [];
      for (const command of body) answers.push(await run(command, isBase64));
      answer(200, answers);
      return;
    }
    const result = await run(body, isBase64);
    answer("error" in result ? 400 : 200, result);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${port}`,
    requests: () => requests,
    async stop() {
      redis.disconnect();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Texts as base64, but for the one that says that all is well. @param {unknown} value @returns {unknown} */
function encoded(value) {
  if (Array.isArray(value)) return value.map(encoded);
  return typeof value === "string" && value !== "OK" ? Buffer.from(value).toString("base64") : value;
}
