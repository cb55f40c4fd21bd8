//! Metrics: histograms add up in any order, and each delta is counted once, whatever happens on the way.

use std::collections::BTreeMap;

use proptest::prelude::*;
use seawall::clock::Instant;
use seawall::http::exchange::{Answer, Cx, Next, Question, Then, swap};
use seawall::metrics::aggregate::{Aggregate, SHARDS, key};
use seawall::metrics::buckets::bound;
use seawall::metrics::families as by;
use seawall::metrics::fleet;
use seawall::metrics::histogram::Histogram;
use seawall::metrics::samples::{Samples, Value};
use seawall::monitor::{Monitor, Settings};
use seawall::note::times::{Row, Times};
use seawall::report::facts::{DatabaseFacts, Facts, TimesFacts};
use seawall::report::status::{Status, Totals};

fn of(values: &[f64]) -> Histogram {
    let mut histogram = Histogram::default();
    for value in values {
        assert!(histogram.observe(*value));
    }
    histogram
}

/// Whole numbers, so that their sums are exact in any order.
fn values() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec((0..1_000_000_000_u32).prop_map(f64::from), 0..60)
}

proptest! {
    #[test]
    fn histograms_add_up_in_any_order((a, b, c) in (values(), values(), values())) {
        let [x, y, z] = [&a, &b, &c].map(|values| of(values));
        let merged = |parts: &[&Histogram]| {
            let mut sum = Histogram::default();
            for part in parts {
                sum.merge(part);
            }
            sum
        };
        let together = of(&[a, b, c].concat());
        prop_assert_eq!(merged(&[&x, &y, &z]), together.clone());
        prop_assert_eq!(merged(&[&z, &x, &y]), together.clone());
        prop_assert_eq!(merged(&[&x, &merged(&[&y, &z])]), together);
    }

    #[test]
    fn what_came_since_and_what_was_before_is_all((before, after) in (values(), values())) {
        let earlier = of(&before);
        let all = of(&[before, after].concat());
        let mut sum = earlier.clone();
        sum.merge(&all.since(&earlier));
        prop_assert_eq!(sum, all);
    }

    #[test]
    fn quantiles_are_within_the_promised_error(values in prop::collection::vec(1e-6_f64..1e9, 1..200), share in 0.0..=1.0_f64) {
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        let rank = ((values.len() as f64 * share).ceil() as usize).max(1);
        let (told, exact) = (of(&values).quantile(share), sorted[rank - 1]);
        prop_assert!((told - exact).abs() <= exact * 0.123, "{told} {exact}");
    }

    #[test]
    fn buckets_hold_what_their_bounds_say(values in values(), bucket in -30_i16..100) {
        let counted = of(&values).count_to(bucket);
        prop_assert_eq!(counted, values.iter().filter(|value| **value <= bound(bucket)).count() as u64);
    }

    #[test]
    fn samples_survive_being_written(values in values(), count in 0..1_000_u32) {
        let mut samples = Samples::default();
        samples.add("a_total", &["x\"\n", ""], &Value::Count(f64::from(count)));
        samples.add("b", &[], &Value::Histogram(of(&values)));
        samples.add("c", &["y"], &Value::Sum(0.1));
        let text = serde_json::to_string(&samples).expect("it is JSON");
        prop_assert_eq!(serde_json::from_str::<Samples>(&text).expect("it is ours"), samples);
    }
}

/// What becomes of a question on its way.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Well,
    /// It never arrives, and the isolate is told so.
    Refused,
    /// It is done, and its answer is lost.
    AnswerLost,
    /// It is done, and the request that waits for the answer is gone.
    RequestLost,
}

#[derive(Clone, Copy, Debug)]
enum Act {
    /// An isolate's operations end.
    Count(usize, u8),
    /// An isolate begins to tell.
    Tell(usize),
    /// An exchange under way is answered.
    Answer(usize, Fate),
    /// Its core was replaced after a trap: it counts from zero.
    Restart(usize),
    /// Time passes, in seconds: less in all than a delta is sent again for.
    Pass(u8),
}

const ISOLATES: usize = 5;

fn act() -> impl Strategy<Value = Act> {
    let fate = prop_oneof![
        6 => Just(Fate::Well),
        1 => Just(Fate::Refused),
        2 => Just(Fate::AnswerLost),
        1 => Just(Fate::RequestLost),
    ];
    prop_oneof![
        3 => (0..ISOLATES, 1..9_u8).prop_map(|(isolate, count)| Act::Count(isolate, count)),
        4 => (0..ISOLATES).prop_map(Act::Tell),
        16 => (0..8_usize, fate).prop_map(|(exchange, fate)| Act::Answer(exchange, fate)),
        1 => (0..ISOLATES).prop_map(Act::Restart),
        3 => (1..4_u8).prop_map(Act::Pass),
    ]
}

#[derive(Default)]
struct Isolate {
    monitor: Monitor,
    generation: u32,
    successful: u64,
    times: Times,
}

struct World {
    isolates: Vec<Isolate>,
    store: BTreeMap<String, String>,
    under_way: Vec<(usize, Question, Then)>,
    now: u64,
}

impl World {
    fn new() -> Self {
        let metrics = seawall::metrics::Settings { stats_interval_ms: 1_000, ..Default::default() };
        let settings = Settings { metrics, ..Settings::default() };
        let isolate = |_| Isolate { monitor: Monitor::new(settings.clone()), ..Isolate::default() };
        let isolates = (0..ISOLATES).map(isolate).collect();
        Self { isolates, store: BTreeMap::new(), under_way: Vec::new(), now: 1_704_067_200_000 }
    }

    fn facts(&self, isolate: usize) -> Facts {
        let Isolate { generation, successful, times, .. } = &self.isolates[isolate];
        let totals = Totals { successful: *successful, ..Totals::default() };
        let status = Status { totals, ..Status::default() };
        let database = DatabaseFacts {
            name: "primary".to_owned(),
            status,
            generation: *generation,
            times: TimesFacts::of(times),
            ..DatabaseFacts::default()
        };
        Facts { now_ms: self.now, databases: vec![database], ..Facts::default() }
    }

    fn go_on(&mut self, isolate: usize, work: impl FnOnce(&mut Cx<'_>) -> Next) {
        let monitor = &mut self.isolates[isolate].monitor;
        // Two isolates share a text, so that they compete for it.
        let random = 0x1000 + (isolate as u64 % 4) * 8 + isolate as u64 * 0x10_0000;
        match work(&mut Cx { monitor, now: Instant(self.now), random }) {
            Next::Ask(question, then) => self.under_way.push((isolate, question, then)),
            Next::Done => {}
            Next::Respond(response) => panic!("{response:?}"),
        }
    }

    fn done(&mut self, isolate: usize, question: Question) -> Answer {
        match question {
            Question::Facts { .. } => Answer::Facts(self.facts(isolate)),
            Question::Read { key } => Answer::Text(self.store.get(&key).cloned()),
            Question::Swap { changes } => Answer::Swapped(swap(&mut self.store, changes)),
            other => panic!("{other:?}"),
        }
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Count(isolate, count) => {
                let isolate = &mut self.isolates[isolate];
                for _ in 0..count {
                    isolate.successful += 1;
                    isolate.times.took(Row::Leased, u64::from(count) * 10);
                }
            }
            Act::Tell(isolate) => self.go_on(isolate, fleet::begin),
            Act::Answer(exchange, fate) if exchange < self.under_way.len() => {
                let (isolate, question, then) = self.under_way.remove(exchange);
                let lost = Answer::Failed("nobody knows".to_owned());
                let answer = match fate {
                    Fate::Refused => lost,
                    Fate::Well => self.done(isolate, question),
                    Fate::AnswerLost => {
                        self.done(isolate, question);
                        lost
                    }
                    Fate::RequestLost => {
                        self.done(isolate, question);
                        return;
                    }
                };
                self.go_on(isolate, |cx| then(answer, cx));
            }
            Act::Answer(..) => {}
            Act::Restart(isolate) => {
                // What was counted and not told yet is lost with the core: it is told first.
                self.settle(isolate);
                self.isolates[isolate].generation += 1;
                self.isolates[isolate].successful = 0;
                self.isolates[isolate].times = Times::default();
            }
            Act::Pass(seconds) => self.now += u64::from(seconds) * 1_000,
        }
    }

    /// Lets an isolate tell all that it has counted, with nothing in the way.
    fn settle(&mut self, isolate: usize) {
        // A delta that may have been counted goes first, then the rest.
        for _ in 0..3 {
            self.now += 1_000;
            self.go_on(isolate, fleet::begin);
            while let Some(at) = self.under_way.iter().position(|(of, ..)| *of == isolate) {
                self.act(Act::Answer(at, Fate::Well));
            }
        }
    }

    fn totals(&self) -> (f64, Histogram) {
        let mut sum = (0.0, Histogram::default());
        for shard in 0..SHARDS {
            let aggregate = Aggregate::read(self.store.get(&key(shard)).map(String::as_str)).expect("it is ours");
            sum.0 += aggregate.counts().total(by::OPERATIONS, |labels| labels[1] == "success");
            sum.1.merge(&aggregate.counts().spread(by::DURATION, |_| true));
        }
        sum
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// The totals of the store are exact: replays, lost answers, lost requests, competing writers, cores that start anew.
    #[test]
    fn each_delta_is_counted_once(acts in prop::collection::vec(act(), 0..120)) {
        let mut world = World::new();
        let mut expected = (0_u64, 0_u64);
        for act in acts {
            if let Act::Count(_, count) = act {
                expected.0 += u64::from(count);
                expected.1 += u64::from(count) * u64::from(count) * 10;
            }
            world.act(act);
            prop_assert!(world.totals().0 <= expected.0 as f64, "something was counted twice");
        }
        for isolate in 0..ISOLATES {
            world.settle(isolate);
        }
        let (count, spread) = world.totals();
        prop_assert_eq!(count, expected.0 as f64);
        prop_assert_eq!(spread.count(), expected.0);
        prop_assert!((spread.sum() - expected.1 as f64 / 1_000.0).abs() < 1e-6);
    }
}
