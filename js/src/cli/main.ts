#!/usr/bin/env node
// `seawall`: the command line for operators. It talks HTTP and decides nothing; see program.ts for what it can do.

import { EXIT } from "./exit.ts";
import { run } from "./program.ts";

/** Whoever reads may have read enough: `seawall … | head`. */
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? (process.exitCode ?? EXIT.ok) : EXIT.unhealthy);
});

process.on("SIGINT", () => {
  // Progress may stand in this line.
  if (process.stderr.isTTY) process.stderr.write("\r\u001b[K\u001b[?25h");
  process.exit(EXIT.interrupted);
});

process.exitCode = await run(process.argv.slice(2));
