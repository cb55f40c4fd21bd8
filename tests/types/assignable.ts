// The two packages' types stand for each other: a function written for one takes what the other gives.
import type * as upstream from "@libsql/client/web";
import type * as ours from "client-under-contract";

type Both<A, B> = [A] extends [B] ? ([B] extends [A] ? true : "the second is no first") : "the first is no second";
type Holds<T extends true> = T;

export type Exchangeable = [
  Holds<Both<upstream.Config, ours.Config>>,
  Holds<Both<upstream.IntMode, ours.IntMode>>,
  Holds<Both<upstream.InValue, ours.InValue>>,
  Holds<Both<upstream.InArgs, ours.InArgs>>,
  Holds<Both<upstream.InStatement, ours.InStatement>>,
  Holds<Both<upstream.TransactionMode, ours.TransactionMode>>,
  Holds<Both<upstream.Value, ours.Value>>,
  Holds<Both<upstream.Row, ours.Row>>,
  Holds<Both<upstream.ResultSet, ours.ResultSet>>,
  Holds<Both<upstream.Replicated, ours.Replicated>>,
  Holds<Both<upstream.Transaction, ours.Transaction>>,
  Holds<Both<upstream.Client, ours.Client>>,
  Holds<Both<upstream.LibsqlError, ours.LibsqlError>>,
  Holds<Both<upstream.LibsqlBatchError, ours.LibsqlBatchError>>,
];

/** Values of the module: ours may do more, never less. */
type Replaces<Ours, Theirs> = [Ours] extends [Theirs] ? true : "ours does not replace theirs";

export type Replacing = [
  Holds<Replaces<typeof ours.createClient, typeof upstream.createClient>>,
  Holds<Replaces<typeof ours.LibsqlError, typeof upstream.LibsqlError>>,
  Holds<Replaces<typeof ours.LibsqlBatchError, typeof upstream.LibsqlBatchError>>,
  Holds<Replaces<ReturnType<typeof ours.createClient>, upstream.Client>>,
];

declare function takesTheirs(client: upstream.Client, args: upstream.InArgs): void;
declare function takesOurs(client: ours.Client, args: ours.InArgs): void;

export function exchange(theirs: upstream.Client, our: ours.Client, result: ours.ResultSet): upstream.Row | undefined {
  takesTheirs(our, [1, 2n, "three"]);
  takesOurs(theirs, { a: new Date() });
  const back: upstream.ResultSet = result;
  return back.rows[0];
}
