// A subject in a process of its own: it answers one question at a time and is idle between its turns.
//
// One process each, so that no subject pays for another's garbage, or is compiled for another's types.
import { fork } from "node:child_process";

/**
 * What a subject measured in one turn. `cpuMs` is null where the platform does not tell.
 *
 * @typedef {{ runs: number, wallMs: number, cpuMs: number | null }} Turn
 */

export class Child {
  /** @type {import("node:child_process").ChildProcess} */
  #process;
  /** What the child says first: that it listens. Questions asked before that would be lost. */
  #listens;

  /** @param {string} script File of this folder. @param {string[]} args @param {Record<string, string>} [env] */
  constructor(script, args, env = {}) {
    this.name = args.join(" ");
    // What a subject prints must not mix with the result on stdout.
    this.#process = fork(new URL(script, import.meta.url), args, {
      env: { ...process.env, ...env },
      stdio: ["ignore", 2, 2, "ipc"],
    });
    this.#listens = this.#next();
    // It is reported to whoever asks.
    this.#listens.catch(() => {});
  }

  /**
   * Asks the child and waits for its answer. One question at a time.
   *
   * @param {object} question
   * @returns {Promise<any>}
   * @throws {Error} With the child's own message, or when it ended instead of answering.
   */
  async ask(question) {
    await this.#listens;
    const answer = this.#next();
    this.#process.send(question);
    return answer;
  }

  /** @returns {Promise<any>} */
  #next() {
    const child = this.#process;
    return new Promise((resolve, reject) => {
      /** @param {any} answer */
      const take = (answer) => {
        child.off("exit", ended);
        if (answer.error === undefined) resolve(answer.value);
        else reject(new Error(`${this.name}: ${answer.error}`));
      };
      /** @param {number | null} code @param {string | null} signal */
      const ended = (code, signal) => {
        child.off("message", take);
        reject(new Error(`${this.name} ended (${code ?? signal})`));
      };
      if (child.exitCode !== null || child.signalCode !== null) return ended(child.exitCode, child.signalCode);
      child.once("message", take);
      child.once("exit", ended);
    });
  }

  /** Lets the child end by itself and waits for that. */
  async end() {
    const child = this.#process;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    if (child.connected) child.disconnect();
    await ended;
  }
}

/**
 * The child's side: answers each question with what `answer` returns, and leaves when the parent does.
 *
 * @param {(question: any) => Promise<unknown>} answer
 * @param {() => Promise<unknown>} [leave]
 */
export function answerWith(answer, leave = async () => {}) {
  process.on("message", (question) => {
    answer(question).then(
      (value) => process.send?.({ value }),
      (error) => process.send?.({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    );
  });
  const end = () => leave().finally(() => process.exit());
  process.on("disconnect", end);
  // The parent may have gone while this process was still starting.
  if (!process.connected) end();
  // Ctrl-C reaches the whole process group; the parent decides and disconnects.
  process.on("SIGINT", () => {});
  process.send?.({ value: "listening" });
}
