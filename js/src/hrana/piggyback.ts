// Questions that ride along: one more statement in a request that is sent anyway, after all that it was sent for.
//
// They ride only where the stream ends with the request, behind the COMMIT if there is one: inside of a transaction they would
// see, and hold, what its own statements do. Whatever becomes of them, the request is answered as if they were not there.
import type { InStatement, ResultSet } from "../api.ts";
import { executeResult } from "./decode.ts";
import { encodeStatement, executeRequest } from "./encode.ts";
import type { RequestBuilder } from "./pipeline.ts";
import type { PipelineResponse, StreamResult } from "./proto.ts";

/** A statement, and who hears what came of it. Without an answer to the request it is none of them. */
export interface Question {
  /** It must read, and nothing else. */
  readonly statement: InStatement;
  /** Its result. What this throws is dropped. */
  answered(result: ResultSet): void;
  /** The database refused the statement, and nothing else of the request. */
  failed(error: unknown): void;
}

/** Asks when there is something to ask: called for each request that a question may ride along with. */
export type Passenger = () => Question | undefined;

/** Most passengers of one client. */
const PASSENGERS_MAX = 4;

/** A request with its riders. */
export interface Ride {
  readonly build: RequestBuilder;
  /** Takes their results out of the answer, and tells them. `count` is what `build` has said. Never throws. */
  end(body: PipelineResponse, count: number): void;
}

/** Who rides along with the requests of one client. */
export class Piggyback {
  #passengers: readonly Passenger[] = [];

  /**
   * Takes a passenger on.
   *
   * @returns Lets it go.
   * @throws TypeError when it is no function, RangeError at the fifth.
   */
  readonly add = (passenger: Passenger): (() => void) => {
    if (typeof passenger !== "function") throw new TypeError("piggyback takes a function that gives a question");
    if (this.#passengers.length >= PASSENGERS_MAX) throw new RangeError(`${PASSENGERS_MAX} passengers are the most`);
    // Two who are the same function are two.
    const own: Passenger = () => passenger();
    this.#passengers = [...this.#passengers, own];
    return () => {
      this.#passengers = this.#passengers.filter((one) => one !== own);
    };
  };

  /** The same request with those who have something to ask; undefined if nobody has. */
  ride(build: RequestBuilder): Ride | undefined {
    if (this.#passengers.length === 0) return undefined;
    const riders = this.#passengers.flatMap((passenger) => asked(passenger) ?? []);
    if (riders.length === 0) return undefined;
    const requests = riders.map(({ request }) => `,${request}`).join("");
    return {
      build(version, index) {
        const own = build(version, index);
        // Nothing is asked of the database, so nothing rides: such a request opens no stream.
        if (own.requests === "") return own;
        return { requests: own.requests + requests, count: own.count + riders.length };
      },
      end(body, count) {
        const results = body.results.length < count ? [] : body.results.splice(count - riders.length, riders.length);
        for (const [i, { question }] of riders.entries()) told(question, results[i]);
      },
    };
  }
}

interface Rider {
  readonly question: Question;
  readonly request: string;
}

function asked(passenger: Passenger): Rider | undefined {
  try {
    const question = passenger();
    return question && { question, request: executeRequest(encodeStatement(question.statement)).requests };
  } catch {
    // It is not what the request was sent for.
    return undefined;
  }
}

function told(question: Question, result: StreamResult | undefined): void {
  if (result === undefined) return;
  try {
    let rows: ResultSet;
    try {
      rows = executeResult(result, "number");
    } catch (error) {
      question.failed(error);
      return;
    }
    question.answered(rows);
  } catch {
    // As above.
  }
}
