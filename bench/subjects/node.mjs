// A database client in Node. Arguments: its adapter in bench/clients.
import { answerOf, repeat } from "../cases.mjs";
import { answerWith } from "./child.mjs";

const [name] = process.argv.slice(2);
const { open } = await import(`../clients/${name}.mjs`);

/** @param {{ url: string, id: string, budgetMs?: number }} question Without a budget, what the case returns. */
async function answer({ url, id, budgetMs }) {
  // A client of its own for each turn: the server ends streams that are idle for 10 s, which is longer than a turn's wait.
  const client = open(url);
  try {
    if (budgetMs === undefined) return await answerOf(client, id);
    // The connection is made outside of what is measured.
    await repeat(client, id, 0);
    const cpu = process.cpuUsage();
    const began = performance.now();
    const { runs } = await repeat(client, id, budgetMs);
    const wallMs = performance.now() - began;
    const { user, system } = process.cpuUsage(cpu);
    return { runs, wallMs, cpuMs: (user + system) / 1_000 };
  } finally {
    await client.close();
  }
}

answerWith(answer);
