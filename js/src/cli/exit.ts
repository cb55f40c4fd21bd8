// How the command line ends: one number for each way, which scripts may rely on.

/** Exit codes. */
export const EXIT = {
  ok: 0,
  /** What was looked at is not well. */
  unhealthy: 1,
  /** The command line cannot be used as it stands. */
  usage: 2,
  /** An approval, or something that must be there before, is missing. */
  precondition: 3,
  /** The token is missing or wrong, or its role is not enough. */
  auth: 4,
  /** Somebody else changed it meanwhile. */
  conflict: 5,
  /** Nobody answers there, or not as Seawall does. */
  unreachable: 6,
  /** It took itself back. */
  rolledBack: 7,
  timeout: 124,
  interrupted: 130,
} as const;

/** Any of {@link EXIT}. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Ends the command with a message for people and a code for scripts. Neither holds a secret. */
export class CliError extends Error {
  readonly exit: ExitCode;
  /** What happened, for programs. */
  readonly code: string;

  constructor(exit: ExitCode, code: string, message: string) {
    super(message);
    this.exit = exit;
    this.code = code;
  }
}
