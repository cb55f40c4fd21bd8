// What is seen. All text goes through Preact, which makes text of it and nothing else.

import type { ComponentChildren } from "preact";
import type { DatabaseOverview } from "../js/src/monitor/documents.ts";
import type { Alert, Look, Scores } from "./ask.ts";

type Tone = "good" | "warn" | "bad" | "";

const TONES: Readonly<Record<string, Tone>> = {
  healthy: "good",
  degraded: "warn",
  unhealthy: "bad",
  CLOSED: "good",
  HALF_OPEN: "warn",
  OPEN: "bad",
  warning: "warn",
  critical: "bad",
};
const WORST = ["unhealthy", "degraded", "healthy"];
const CIRCUITS: Readonly<Record<string, string>> = { CLOSED: "Closed", HALF_OPEN: "Half-open", OPEN: "Open" };
const TEXT_MAX = 300;

const toneOf = (word: string): Tone => (Object.hasOwn(TONES, word) ? (TONES[word] ?? "") : "");

/** Texts of others: a bound, and no sign that turns the direction of what follows. */
function text(value: unknown): string {
  const whole = String(value).replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
  return whole.length > TEXT_MAX ? `${whole.slice(0, TEXT_MAX)}…` : whole;
}

function Word({ of, children }: { of: string; children?: ComponentChildren }) {
  return <strong class={toneOf(of)}>{children ?? text(of)}</strong>;
}

/** How it is in one line, and how old that is. */
export function Banner({ look, ageMs, problem }: { look: Look | undefined; ageMs: number; problem: string }) {
  if (look === undefined) {
    return (
      <div class={`banner ${problem === "" ? "" : "bad"}`} role="status">
        <p>{problem === "" ? "Loading …" : <strong>{text(problem)}</strong>}</p>
      </div>
    );
  }
  const states = Object.values(look.overview.databases).map(({ state }) => state as string);
  const worst = WORST.find((state) => states.includes(state)) ?? "unhealthy";
  const isStale = problem !== "";
  return (
    <div class={`banner ${isStale ? "warn" : toneOf(worst)}`}>
      <p role="status">
        <strong>{worst[0]?.toUpperCase() + worst.slice(1)}</strong>, score {look.scores.score} of 100
        {isStale && `, as last heard. ${text(problem)}`}
      </p>
      <p class="quiet">
        Updated {Math.round(ageMs / 1_000)} s ago. These are the numbers of the one isolate that answered.
      </p>
    </div>
  );
}

/** One database: its circuit, its pool, what lowers its score. */
export function Database({
  name,
  of,
  parts,
}: {
  name: string;
  of: DatabaseOverview;
  parts: Scores["databases"][string]["parts"];
}) {
  const { config, pool_stats: pool, circuit_breaker: circuit, state, health_score: score, endpoints = [] } = of;
  return (
    <section aria-label={`Database ${text(name)}`}>
      <h2>
        {text(name)} <span class="quiet">{text(config.type)}</span>
      </h2>
      <dl>
        <div>
          <dt>State</dt>
          <dd>
            <Word of={state} />, score {score}
          </dd>
        </div>
        <div>
          <dt>Circuit</dt>
          <dd>
            <Word of={circuit.state}>
              {(Object.hasOwn(CIRCUITS, circuit.state) && CIRCUITS[circuit.state]) || text(circuit.state)}
            </Word>
            {`, ${circuit.failures} ${circuit.failures === 1 ? "failure" : "failures"}`}
            {circuit.forced !== undefined && `, held ${text(circuit.forced)} by an operator`}
            {circuit.retry_at !== undefined && `, probes at ${clockOf(circuit.retry_at)}`}
          </dd>
        </div>
        <div>
          <dt>Lowered by</dt>
          <dd>{parts.map((part) => `${text(part.name)} −${part.points}`).join(", ") || "nothing"}</dd>
        </div>
        <div>
          <dt>Pool</dt>
          <dd>
            <meter
              aria-label={`Connections of ${text(name)} in use`}
              min={0}
              max={Math.max(pool.total_connections, 1)}
              high={pool.total_connections * 0.8}
              optimum={0}
              value={pool.active_connections}
            />
            {pool.active_connections} of {pool.total_connections} in use, {pool.idle_connections} idle,{" "}
            {pool.pending_requests} waiting
          </dd>
        </div>
      </dl>
      {endpoints.length > 0 && (
        <Table
          title={`Endpoints of ${text(name)}`}
          head={["Endpoint", "Role", "State", "Circuit", "Pending"]}
          rows={endpoints.map((it) => [
            text(it.name),
            text(it.role),
            text(it.state),
            <Word of={it.circuit_breaker} key="c" />,
            it.pending,
          ])}
        />
      )}
    </section>
  );
}

/** Each connection of one database. */
export function Connections({ name, of }: { name: string; of: DatabaseOverview }) {
  return (
    <section aria-label={`Connections of ${text(name)}`}>
      <h2>Connections of {text(name)}</h2>
      {of.connections.length === 0 ? (
        <p>There is none at the moment. They are made when they are needed.</p>
      ) : (
        <Table
          title={`Connections of ${text(name)}`}
          head={["Number", "State", "Used", "Errors"]}
          rows={of.connections.map(({ id, state, uses, errors }) => [id, text(state), uses, errors])}
        />
      )}
    </section>
  );
}

function Table({ title, head, rows }: { title: string; head: string[]; rows: ComponentChildren[][] }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
    // biome-ignore lint/a11y/useSemanticElements: a section within a section would be one more landmark than there is
    <div class="scroll" role="group" aria-label={title} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {head.map((word) => (
              <th scope="col" key={word}>
                {word}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, index) => (
            <tr key={String(index)}>
              {row.map((cell, column) => (
                <td key={head[column]}>{cell}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Alerts that fire, or the way to see them. `enter` takes a token; an empty one forgets it. */
export function Alerts({ of, refused, enter }: { of: Look["alerts"]; refused: string; enter(token: string): void }) {
  return (
    <section aria-label="Alerts">
      <h2>Alerts</h2>
      {of === undefined ? (
        <Token refused={refused} enter={enter} />
      ) : typeof of === "string" ? (
        <p role="alert">
          <strong class="bad">{text(of)}</strong>
        </p>
      ) : of.length === 0 ? (
        <p>No alert fires.</p>
      ) : (
        <ul>
          {of.map((alert) => (
            <One key={alert.id} {...alert} />
          ))}
        </ul>
      )}
      {of !== undefined && (
        <button type="button" onClick={() => enter("")}>
          Forget the token
        </button>
      )}
    </section>
  );
}

function One({ rule, database, severity, message, stage, firedAtMs }: Alert) {
  return (
    <li>
      <Word of={severity} /> {text(rule)} of {text(database)}: {text(message)}
      <br />
      <span class="quiet">
        since {clockOf(firedAtMs)}
        {stage === "acknowledged" && ", acknowledged"}
      </span>
    </li>
  );
}

function Token({ refused, enter }: { refused: string; enter(token: string): void }) {
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const input = (event.currentTarget as HTMLFormElement).elements.namedItem("token") as HTMLInputElement;
    enter(input.value.trim());
    input.value = "";
  };
  return (
    <form onSubmit={submit}>
      <label>
        Admin token, to see alerts
        <input
          name="token"
          type="password"
          required
          autocomplete="off"
          spellcheck={false}
          aria-describedby="token-note"
        />
      </label>
      <button type="submit">Show alerts</button>
      <p id="token-note" class="quiet">
        It stays in the memory of this page until the page is closed.
      </p>
      {refused !== "" && (
        <p role="alert">
          <strong class="bad">{refused}</strong>
        </p>
      )}
    </form>
  );
}

function clockOf(time: string | number): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? "?" : date.toLocaleTimeString();
}
