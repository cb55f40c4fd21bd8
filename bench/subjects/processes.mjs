// Another process's CPU time, from /proc. Other systems than Linux do not tell, and the numbers stay empty there.
import { readdirSync, readFileSync } from "node:fs";

/** Ticks of `/proc/<pid>/stat` per second, the same on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** Child processes of `pid`. @param {number} pid @returns {number[]} */
export function processesUnder(pid) {
  try {
    const children = readdirSync(`/proc/${pid}/task`).map((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, "utf8"),
    );
    return children.join(" ").split(/\s+/).filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/**
 * CPU time that a process has used, in milliseconds: exact to the nanosecond where the kernel keeps it for each thread,
 * else in ticks of 10 ms.
 *
 * @param {number} pid
 * @returns {number | null}
 */
export function cpuMsOf(pid) {
  try {
    let ns = 0;
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      ns += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ", 1)[0]);
    }
    if (ns > 0) return ns / 1e6;
  } catch {
    // No such file on this kernel, or a thread ended meanwhile: the ticks are still right.
  }
  try {
    // Fields after the name, which is in brackets and may hold spaces: the 14th and 15th are user and system time.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    return ((Number(fields[11]) + Number(fields[12])) * 1_000) / TICKS_PER_SECOND;
  } catch {
    return null;
  }
}
