//! Which order of waiting answers most in time when more comes than five leases can serve: the measurement of
//! decisions/0021. `cargo test --test sim overload -- --nocapture` prints its table.
//!
//! One isolate of a host that tells its waiters. Operations come by chance at a multiple of what the pool can serve, take
//! 20 ms on average (exponentially), wait 5 s at most, and are of use to their callers for 1 s.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fmt::Write as _;

use seawall::clock::{Instant, Millis};
use seawall::config::parse::parse;
use seawall::note::Notes;
use seawall::policy::Cx;
use seawall::policy::lease::{Lease, LeaseAnswer, LeasePool, Order, PoolConfig, Ticket};
use seawall::query::Priority;
use seawall::rng::{Rng, SplitMix};

const START_US: u64 = 1_795_000_000_000_000;
const LEASES: u32 = 5;
const SERVICE_US: f64 = 20_000.0;
const USEFUL_MS: f64 = 1_000.0;
const LOADED_US: u64 = 60_000_000;
const CALLS: usize = (LOADED_US as f64 / SERVICE_US) as usize * LEASES as usize;

/// A way that is compared: its name, the order, when it is overload, and how long a newcomer waits then.
type Way = (&'static str, Order, Millis, Millis);

/// CoDel with the numbers of "Fail at Scale"; the last one is ours.
const WAYS: [Way; 7] = [
    ("FIFO", Order::Fifo, 0, 0),
    ("LIFO", Order::Lifo, 0, 0),
    ("adaptive LIFO, 100 ms", Order::Adaptive, 100, 0),
    ("CoDel, FIFO", Order::Fifo, 100, 5),
    ("CoDel, adaptive LIFO", Order::Adaptive, 100, 5),
    ("CoDel of 100 ms, adaptive LIFO", Order::Adaptive, 100, 100),
    ("adaptive LIFO, 500 ms", Order::Adaptive, 500, 0),
];

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Comes(u32),
    Ends(u32),
    Asks(u32),
}

struct World {
    pool: LeasePool,
    rng: SplitMix,
    notes: Notes,
    now_us: u64,
    events: BinaryHeap<Reverse<(u64, Event)>>,
    came_us: Vec<u64>,
    tickets: BTreeMap<u32, Ticket>,
    leases: BTreeMap<u32, Lease>,
    /// How long each took that was answered, in milliseconds, and how long it waited.
    answered: Vec<(f64, f64)>,
    refused: usize,
}

impl World {
    fn new((_, order, overload_after_ms, overload_timeout_ms): Way) -> Self {
        let defaults = parse(r#"{"platform":{"isProduction":true}}"#).unwrap().pool;
        let config = PoolConfig { order, overload_after_ms, overload_timeout_ms, lease_ttl_ms: 3_600_000, ..defaults };
        assert_eq!((config.leases_max, config.acquire_timeout_ms, config.queue_max), (LEASES, 5_000, 10_000));
        Self {
            pool: LeasePool::new(config),
            rng: SplitMix::new(7),
            notes: Notes::default(),
            now_us: START_US,
            events: BinaryHeap::new(),
            came_us: Vec::new(),
            tickets: BTreeMap::new(),
            leases: BTreeMap::new(),
            answered: Vec::new(),
            refused: 0,
        }
    }

    fn exponential(&mut self, mean_us: f64) -> u64 {
        (-(1.0 - self.rng.unit()).ln() * mean_us) as u64
    }

    fn comes(&mut self, at_us: u64) {
        self.events.push(Reverse((at_us, Event::Comes(self.came_us.len() as u32))));
        self.came_us.push(at_us);
    }

    fn run(&mut self) {
        while let Some(Reverse((at_us, event))) = self.events.pop() {
            self.now_us = at_us;
            match event {
                Event::Comes(call) => self.ask(call),
                Event::Asks(call) if self.tickets.contains_key(&call) => self.ask(call),
                Event::Asks(_) => {}
                Event::Ends(call) => self.end(call),
            }
            while let Some(call) = self.pool.next_waiter() {
                self.ask(call);
            }
        }
        assert!(self.tickets.is_empty() && self.leases.is_empty());
    }

    fn ask(&mut self, call: u32) {
        let now = Instant(self.now_us / 1_000);
        let acquire_by = Instant(self.came_us[call as usize] / 1_000).plus(5_000);
        let ticket = self.tickets.remove(&call);
        let mut cx = Cx { now, rng: &mut SplitMix::new(1), notes: &mut self.notes };
        match self.pool.decide(call, Priority::Medium, ticket, acquire_by, &mut cx) {
            LeaseAnswer::Granted(lease) => {
                let took_us = self.exponential(SERVICE_US);
                let waited_us = self.now_us - self.came_us[call as usize];
                self.answered.push(((waited_us + took_us) as f64 / 1_000.0, waited_us as f64 / 1_000.0));
                self.leases.insert(call, lease);
                self.events.push(Reverse((self.now_us + took_us, Event::Ends(call))));
            }
            LeaseAnswer::Wait { until, ticket } => {
                self.tickets.insert(call, ticket);
                self.events.push(Reverse((until.0 * 1_000, Event::Asks(call))));
            }
            _ => self.refused += 1,
        }
    }

    fn end(&mut self, call: u32) {
        let lease = self.leases.remove(&call).unwrap();
        let now = Instant(self.now_us / 1_000);
        let mut cx = Cx { now, rng: &mut SplitMix::new(1), notes: &mut self.notes };
        self.pool.release(lease, false, &mut cx);
    }
}

/// What one way gave at one load.
#[derive(Clone, Copy)]
struct Row {
    /// Answers in time, as a share of what the pool could serve.
    goodput: f64,
    p50_ms: f64,
    p99_ms: f64,
    refused: f64,
    /// Jain's index of the waits of those that were answered: 1 when all waited alike.
    fairness: f64,
}

fn measure(way: Way, load: f64) -> Row {
    let mut world = World::new(way);
    let between_us = SERVICE_US / f64::from(LEASES) / load;
    let mut at_us = START_US;
    while at_us < START_US + LOADED_US {
        at_us += world.exponential(between_us);
        world.comes(at_us);
    }
    world.run();
    let mut took: Vec<f64> = world.answered.iter().map(|(took, _)| *took).collect();
    took.sort_by(f64::total_cmp);
    let waits = world.answered.iter().map(|(_, wait)| wait + 1.0);
    let (sum, squares) = waits.fold((0.0, 0.0), |(sum, squares), wait| (sum + wait, squares + wait * wait));
    Row {
        goodput: took.iter().filter(|ms| **ms <= USEFUL_MS).count() as f64 / CALLS as f64,
        p50_ms: took[took.len() / 2],
        p99_ms: took[took.len() * 99 / 100],
        refused: world.refused as f64 / world.came_us.len() as f64,
        fairness: sum * sum / (took.len() as f64 * squares),
    }
}

/// POOL-13: the table, and what decided: in overload, adaptive answers in time what the pool can serve, without a refusal
/// that its timeout does not make.
#[test]
fn overload_the_newest_burst_first_answers_most_in_time() {
    let mut table = String::from(
        "| load | order | answers in time | p50 | p99 | refused | fairness |\n|---|---|---|---|---|---|---|\n",
    );
    let mut seen = Vec::new();
    for load in [0.8, 1.0, 1.5, 3.0] {
        let rows = WAYS.map(|way| measure(way, load));
        for ((name, ..), row) in WAYS.iter().zip(rows) {
            let Row { goodput, p50_ms, p99_ms, refused, fairness } = row;
            writeln!(
                table,
                "| {load} x | {name} | {:.1} % | {p50_ms:.0} ms | {p99_ms:.0} ms | {:.1} % | {fairness:.2} |",
                goodput * 100.0,
                refused * 100.0
            )
            .unwrap();
        }
        seen.push((load, rows[0], rows[6]));
    }
    report(&table);
    for (load, fifo, adaptive) in seen {
        if load > 1.0 {
            assert!(adaptive.goodput > 0.95 && fifo.goodput < 0.2, "{load}: {} and {}", adaptive.goodput, fifo.goodput);
        } else {
            assert!(adaptive.goodput > fifo.goodput - 0.05 && adaptive.refused < 0.01, "{load}: {}", adaptive.goodput);
        }
    }
}

/// POOL-13: a large `Promise.all`, and another one right after it, are answered whole; CoDel would refuse the second.
#[test]
fn overload_no_large_burst_is_refused() {
    let refused = |way| {
        let mut world = World::new(way);
        for burst in 0..2 {
            (0..400).for_each(|_| world.comes(START_US + burst * 200_000));
        }
        world.run();
        world.refused
    };
    let refused = WAYS.map(refused);
    assert!(refused[3..6].iter().all(|count| *count > 300), "{refused:?}");
    assert!(refused[..3].iter().chain(&refused[6..]).all(|count| *count == 0), "{refused:?}");
}

#[allow(clippy::print_stdout, reason = "the table is what the decision quotes")]
fn report(table: &str) {
    println!("{table}");
}
