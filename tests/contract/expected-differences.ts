// Every case in which the two clients must behave differently. Each row is a test: upstream must show what the row says
// of it, so that the table stays true, and ours must do what the row asks. Anything else must be the same in both.

interface Difference {
  readonly upstream: string;
  readonly ours: string;
  readonly why: string;
}

export const expectedDifferences = {
  "an infinite result can be read": {
    upstream: "HRANA_PROTO_ERROR; the whole result is lost",
    ours: "the cell is NaN, the other cells are intact",
    why: "JSON has no infinity: the server sends null where upstream insists on a number, and the sign is lost",
  },
  "a row under strict deep equality of node:assert": {
    upstream: "equals a plain object",
    ours: "equals it but for its prototype, so only under loose deep equality",
    why: "given up: getters on a shared prototype are what makes a row cheap; test runners' toStrictEqual holds",
  },
  "a batch takes SQL of under 5,000 characters and over 5,000 bytes": {
    upstream: "HTTP 400, SQL text not found",
    ours: "the batch runs",
    why: "upstream measures texts for the server's cache in UTF-16 units, the server's limit is in bytes",
  },
  "a transaction takes SQL of under 5,000 characters and over 5,000 bytes": {
    upstream: "HTTP 400, SQL text not found",
    ours: "the statement runs",
    why: "as in a batch",
  },
  "ROLLBACK stops a batch": {
    upstream: "the statements after it run, each committed by itself",
    ours: "TRANSACTION_CLOSED at the statement after it, nothing is kept",
    why: "upstream speaks protocol 2 over HTTP, which cannot ask whether a transaction is still open",
  },
  "ROLLBACK stops a transaction": {
    upstream: "the statements after it run, each committed by itself",
    ours: "TRANSACTION_CLOSED, nothing is kept",
    why: "as in a batch",
  },
  "INSERT OR ROLLBACK stops a transaction": {
    upstream: "the statements after it run, each committed by itself",
    ours: "TRANSACTION_CLOSED, nothing is kept",
    why: "as in a batch",
  },
  "INSERT OR ROLLBACK as the first statement stops a transaction": {
    upstream: "the statements after it run, each committed by itself",
    ours: "TRANSACTION_CLOSED, nothing is kept",
    why: "as in a batch",
  },
  "more transactions at once than leases": {
    upstream: "all of them open: an open transaction does not count against concurrency",
    ours: "POOL_TIMEOUT after the acquire timeout, nothing sent; a lease that comes back is given on",
    why: "an open transaction holds a stream of the server, of which there are few",
  },
  "concurrency 0 lifts the limit": {
    upstream: "20 requests at a time, as if nothing had been set",
    ours: "no limit beside that of the lease pool",
    why: "upstream reads 0 as not set",
  },
  "user and password in the URL": {
    upstream: "TypeError at the first call: a Request takes no such URL",
    ours: "sent as basic authorization, never as part of the address",
    why: "sqld has basic authorization, and upstream parses both out of the URL",
  },
  "a ws: URL is refused": {
    upstream: "opens a WebSocket",
    ours: "URL_SCHEME_NOT_SUPPORTED, and the message names the schemes that work",
    why: "ours speaks HTTP only: a socket held open cannot be shared by the requests of a Worker",
  },
  "a refused connection has a code": {
    upstream: "TypeError without a code",
    ours: "LibsqlError, CONNECT_FAILED among its codes",
    why: "a caller must tell a database that is down from a bug of its own",
  },
  "a connection lost before the answer has a code": {
    upstream: "TypeError without a code",
    ours: "LibsqlError, CONNECTION_LOST among its codes",
    why: "as for a refused connection; unlike it, the statement may have run",
  },
  "a connection lost in the middle of the answer has a code": {
    upstream: "TypeError without a code",
    ours: "LibsqlError, BODY_LOST among its codes",
    why: "as before the answer",
  },
  "a lost answer to a write leaves its outcome unknown": {
    upstream: "TypeError without a code",
    ours: "OUTCOME_UNKNOWN, and the statement is sent once",
    why: "a caller must know that the write may have happened",
  },
  "a custom fetch that rejects has a code": {
    upstream: "the rejection as it is",
    ours: "LibsqlError with a code, the rejection among its causes",
    why: "one kind of error for one kind of failure",
  },
  "an answer that is not JSON has a code": {
    upstream: "SyntaxError without a code",
    ours: "LibsqlError, BAD_RESPONSE among its codes",
    why: "a proxy's page in place of the database is a failure of the way, not of the caller",
  },
  "an error that is called JSON and is not has a code": {
    upstream: "SyntaxError without a code and without the status",
    ours: "LibsqlError with the status in its message",
    why: "as for any answer that is not JSON",
  },
  "an error with a charset in its content type keeps its code": {
    upstream: "SERVER_ERROR, the body is not read",
    ours: "the code of the body",
    why: "a parameter does not change the media type",
  },
  "the server's explanation in an {error} body is in the message": {
    upstream: "the status and nothing else",
    ours: "the status and the explanation",
    why: "401, 403, 404 and 429 of the server explain themselves in that shape only",
  },
  "a hung server cannot hold a query past its deadline": {
    upstream: "never settles",
    ours: "DEADLINE_EXCEEDED, and the request is aborted",
    why: "upstream has no timeout over HTTP",
  },
} as const satisfies Record<string, Difference>;

export type DifferenceName = keyof typeof expectedDifferences;
