// The package as a user gets it: packed, and installed into a project that has nothing else.
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/** Root of the repository. */
export const ROOT = join(import.meta.dirname, "../..");

const exec = promisify(execFile);

/** A project that has installed the tarball. */
export interface Consumer {
  readonly folder: string;
  readonly tarball: string;
  /** Paths in the tarball, sorted. */
  readonly files: string[];
  /** Folder of the installed package. */
  readonly installed: string;
  remove(): Promise<void>;
}

/**
 * Runs a command. `env` is added to the environment.
 *
 * @returns What it printed.
 * @throws With all of its output.
 */
export async function run(
  command: string,
  args: string[],
  folder: string,
  env: Record<string, string> = {},
): Promise<string> {
  try {
    return (await exec(command, args, { cwd: folder, env: { ...process.env, ...env }, maxBuffer: 1 << 24 })).stdout;
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    throw new Error(`${command} ${args.join(" ")} failed:\n${stdout}${stderr}`, { cause: error });
  }
}

/** Packs the package that was built last, and installs it. */
export async function installTarball(): Promise<Consumer> {
  const folder = await mkdtemp(join(tmpdir(), "seawall-consumer-"));
  const quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  const printed = await run("npm", ["pack", "--json", "--pack-destination", folder, ...quiet], join(ROOT, "js"));
  const [pack] = JSON.parse(printed) as [{ filename: string; files: { path: string }[] }];
  const tarball = join(folder, pack.filename);
  await writeFile(join(folder, "package.json"), JSON.stringify({ name: "consumer", private: true, type: "module" }));
  await run("npm", ["install", "--offline", tarball, ...quiet], folder);
  return {
    folder,
    tarball,
    files: pack.files.map(({ path }) => path).sort(),
    installed: join(folder, "node_modules/seawall"),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
