// Processes with a monitor of the package each, over one strong store: what operators ask goes in by lines, and answers come
// out by lines.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Answered, Place } from "./operators.ts";
import { bundleProgram } from "./program.ts";
import type { WriterProgram } from "./writer.ts";

/** Makes the program of such a process. */
export async function buildOperatorProcess({ imports, store }: WriterProgram, token: string, folder: string) {
  const outfile = join(folder, "operator.mjs");
  const options = { adminToken: token, admin: { writesPerMinute: 100_000, killsPerMinute: 100_000 } };
  await bundleProgram(
    `
        ${imports}
        import { writeSync } from "node:fs";
        import { createInterface } from "node:readline";
        import { createMonitor } from "seawall/monitor";
        const store = await ${store};
        const databases = { primary: { seawall: { status: () => ({}), healthCheck: async () => true } } };
        const monitor = createMonitor({ databases, store, ...${JSON.stringify(options)} });
        async function answered({ key, asked }) {
          if (key !== undefined) return { text: await store.read(key) };
          const response = await monitor.handle(new Request("https://example.com" + asked.path, asked));
          const { status, headers } = response;
          return { answer: { status, headers: Object.fromEntries(headers), body: await response.text() } };
        }
        createInterface({ input: process.stdin }).on("line", async (line) => {
          const { id, ...question } = JSON.parse(line);
          const told = await answered(question).catch((error) => ({ error: String(error) }));
          writeSync(1, JSON.stringify({ id, ...told }) + "\\n");
        });`,
    outfile,
  );
  return outfile;
}

interface Told {
  id: number;
  answer?: Answered;
  text?: string | null;
  error?: string;
}

/** One process. */
class OperatorProcess {
  readonly #child;
  readonly #ended: Promise<void>;
  readonly #waiting = new Map<number, { resolve(told: Told): void; reject(error: Error): void }>();
  #asked = 0;
  #log = "";
  #hasEnded = false;

  constructor(program: string) {
    this.#child = spawn(process.execPath, [program], { stdio: ["pipe", "pipe", "pipe"] });
    this.#child.stderr.on("data", (chunk) => {
      this.#log = (this.#log + chunk).slice(-4_000);
    });
    // Who is dead takes no questions.
    this.#child.stdin.on("error", () => {});
    createInterface({ input: this.#child.stdout }).on("line", (line) => {
      const told = JSON.parse(line) as Told;
      this.#waiting.get(told.id)?.resolve(told);
      this.#waiting.delete(told.id);
    });
    // After all that it has told was read.
    this.#ended = new Promise((resolve) => {
      this.#child.once("close", () => {
        this.#hasEnded = true;
        for (const { reject } of this.#waiting.values()) reject(new Error(`the process ended:\n${this.#log}`));
        resolve();
      });
    });
  }

  ask(question: object): Promise<Told> {
    if (this.#hasEnded) return Promise.reject(new Error(`the process has ended:\n${this.#log}`));
    this.#asked += 1;
    const id = this.#asked;
    return new Promise<Told>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#child.stdin.write(`${JSON.stringify({ id, ...question })}\n`);
    }).then((told) => {
      if (told.error !== undefined) throw new Error(told.error);
      return told;
    });
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }
}

/** Starts two processes of that program. */
export function startOperatorProcesses(program: string): Place {
  const processes = [new OperatorProcess(program), new OperatorProcess(program)] as const;
  const of = (operator: number) => processes[operator] as OperatorProcess;
  return {
    ask: async (operator, asked) => (await of(operator).ask({ asked })).answer as Answered,
    read: async (key) => (await of(0).ask({ key })).text ?? null,
    kill: async (operators) => {
      await Promise.all(operators.map((operator) => of(operator).kill()));
    },
    stop: async () => {
      await Promise.all(processes.map((process) => process.kill()));
    },
  };
}
