// The demo by hand: traffic runs, keys break and mend the database, one line a second says what happens.
import { Traffic } from "./traffic.mjs";
import { RECOVERY_MS } from "./world.mjs";

const STATUS_MS = 1_000;
const CTRL_C = "\u0003";
const ISOLATES_MAX = 8;
const BROKEN = { kill: "killed", slow: "slow", 503: "answers 503" };

/**
 * Runs until `q` or Ctrl-C.
 *
 * @param {import("./world.mjs").World} world
 * @param {import("./world.mjs").Break | undefined} how Breaks the database at once.
 */
export async function showStage(world, how) {
  console.log(invitation(world));
  const traffic = new Traffic(world, ["a"]);
  let requests = world.requests;
  const status = setInterval(() => {
    const seen = world.requests - requests;
    requests = world.requests;
    report(world, traffic, seen).then(console.log, () => {});
  }, STATUS_MS);
  try {
    if (how !== undefined) await world.break(how);
    await keys(world, traffic);
  } finally {
    clearInterval(status);
    traffic.stop();
  }
}

/** @param {import("./world.mjs").World} world */
function invitation(world) {
  const addresses = [
    ["/a/", "a query through isolate a"],
    ["/a/tx", "a transaction"],
    ["/a/state", "its breaker and its pool"],
    ["/b/", "the same for isolate b, which is made when it is asked for the first time"],
    ["/api/health", "what the Rust Worker says of the database"],
  ];
  const lines = [
    "",
    ...addresses.map(([path = "", what]) => `  ${world.url}${path.padEnd(14)}${what}`),
    "",
    "  k  kill the database    s  make it slow    5  make it answer 503    m  mend it",
    "  n  a new isolate        q  quit",
    "",
    `  Each isolate gets 20 queries a second. A circuit stays open for ${RECOVERY_MS / 1_000} s here.`,
    "",
  ];
  return lines.join("\n");
}

/**
 * @param {import("./world.mjs").World} world
 * @param {Traffic} traffic
 * @param {number} seen Requests that reached the database's door since the last report.
 */
async function report(world, traffic, seen) {
  const parts = await Promise.all(
    traffic.isolates.map(async (isolate) => {
      const { served, refused, failed, medianMs } = traffic.take(isolate);
      const { state } = (await world.state(isolate)).breaker;
      const counts = [`${served} ok`, `${refused} refused`, `${failed} failed`].filter((text) => !text.startsWith("0"));
      return `${isolate} ${state.padEnd(9)} ${counts.join(", ") || "waiting"} (${medianMs.toFixed(1)} ms)`;
    }),
  );
  const database = world.broken === undefined ? "up" : BROKEN[world.broken];
  return `${new Date().toTimeString().slice(0, 8)}  database ${database}, saw ${seen}  |  ${parts.join("  |  ")}`;
}

/**
 * Does what the keys say until one says to stop.
 *
 * @param {import("./world.mjs").World} world @param {Traffic} traffic
 */
async function keys(world, traffic) {
  const { stdin } = process;
  const isTerminal = stdin.isTTY === true;
  if (isTerminal) stdin.setRawMode(true);
  let last = Promise.resolve();
  try {
    await new Promise((resolve) => {
      stdin.setEncoding("utf8").on("data", (/** @type {string} */ text) => {
        for (const key of text) {
          if (key === "q" || key === CTRL_C) return resolve(undefined);
          // One after the other: a server that is being killed cannot be started.
          last = last.then(() => press(world, traffic, key)).catch((error) => console.error(error.message));
        }
      });
    });
    await last;
  } finally {
    if (isTerminal) stdin.setRawMode(false);
    stdin.pause();
  }
}

/** @param {import("./world.mjs").World} world @param {Traffic} traffic @param {string} key */
async function press(world, traffic, key) {
  switch (key.toLowerCase()) {
    case "k":
      console.log("-- the database is killed");
      return world.break("kill");
    case "s":
      console.log("-- the database is slow");
      return world.break("slow");
    case "5":
      console.log("-- the database answers 503");
      return world.break("503");
    case "m":
      await world.mend();
      return console.log("-- the database is mended");
    case "n": {
      const count = traffic.isolates.length;
      if (count === ISOLATES_MAX) return console.log(`-- ${ISOLATES_MAX} isolates are enough`);
      const name = String.fromCharCode("a".charCodeAt(0) + count);
      const response = await world.ask(name);
      const { code } = /** @type {{ code?: string }} */ (await response.json());
      const { breaker } = await world.state(name);
      console.log(`-- isolate ${name} is new: ${code ?? "serves"}, after ${breaker.requests} requests of its own`);
      return traffic.add(name);
    }
  }
}
