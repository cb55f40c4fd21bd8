// The dashboard: looks every five seconds, and shows the view that the address names.

import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { type Look, look, Refused } from "./ask.ts";
import { Alerts, Banner, Connections, Database } from "./parts.tsx";

const INTERVAL_MS = 5_000;
const VIEWS = { overview: "Overview", connections: "Connections", alerts: "Alerts" } as const;
type View = keyof typeof VIEWS;

/** What stands behind the `#`; the overview for anything that is no view. */
function viewOf(hash: string): View {
  const name = hash.slice(1);
  return Object.hasOwn(VIEWS, name) ? (name as View) : "overview";
}

function App() {
  const [view, setView] = useState(viewOf(location.hash));
  const [token, setToken] = useState("");
  const [refused, setRefused] = useState("");
  const [seen, setSeen] = useState<{ look: Look; atMs: number } | undefined>();
  const [problem, setProblem] = useState("");
  const [nowMs, setNowMs] = useState(Date.now());

  useEffect(() => {
    const turn = () => setView(viewOf(location.hash));
    addEventListener("hashchange", turn);
    const clock = setInterval(() => setNowMs(Date.now()), 1_000);
    return () => {
      removeEventListener("hashchange", turn);
      clearInterval(clock);
    };
  }, []);

  useEffect(() => {
    let isOver = false;
    let timer: ReturnType<typeof setTimeout>;
    const again = async () => {
      try {
        const found = await look(token);
        if (isOver) return;
        setSeen({ look: found, atMs: Date.now() });
        setNowMs(Date.now());
        setProblem("");
        if (found.alerts !== undefined) setRefused("");
      } catch (error) {
        if (isOver) return;
        if (error instanceof Refused) {
          setRefused(error.message);
          return setToken("");
        }
        setProblem((error as Error).message);
      }
      timer = setTimeout(again, INTERVAL_MS);
    };
    again();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [token]);

  const enter = (typed: string) => {
    setRefused("");
    setToken(typed);
    if (typed === "" && seen) setSeen({ ...seen, look: { ...seen.look, alerts: undefined } });
  };
  const { overview, scores, alerts } = seen?.look ?? {};
  const databases = Object.entries(overview?.databases ?? {});
  return (
    <>
      <header>
        <h1>Seawall</h1>
        <nav aria-label="Views">
          {(Object.keys(VIEWS) as View[]).map((name) => (
            <a key={name} href={`#${name}`} aria-current={name === view ? "page" : undefined}>
              {VIEWS[name]}
            </a>
          ))}
        </nav>
      </header>
      <main>
        <Banner look={seen?.look} ageMs={Math.max(0, nowMs - (seen?.atMs ?? nowMs))} problem={problem} />
        {view === "overview" &&
          databases.map(([name, of]) => (
            <Database key={name} name={name} of={of} parts={scores?.databases[name]?.parts ?? []} />
          ))}
        {view !== "alerts" && databases.map(([name, of]) => <Connections key={name} name={name} of={of} />)}
        {view !== "connections" && seen && <Alerts of={alerts} refused={refused} enter={enter} />}
      </main>
    </>
  );
}

const root = document.getElementById("app");
if (root) {
  root.textContent = "";
  render(<App />, root);
}
