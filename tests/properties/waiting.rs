//! Who waits for a lease, and for how long, whatever comes in whatever order.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use seawall::clock::{Instant, Millis};
use seawall::config::parse::parse;
use seawall::note::Notes;
use seawall::policy::Cx;
use seawall::policy::lease::{AGEING_MS, Lease, LeaseAnswer, LeasePool, PoolConfig, ROTATES_EVERY, Ticket};
use seawall::query::Priority;
use seawall::rng::SplitMix;

const START: Instant = Instant(1_795_000_000_000);
const PRIORITIES: [Priority; 4] = [Priority::Low, Priority::Medium, Priority::High, Priority::Critical];

fn config(settings: &str) -> PoolConfig {
    parse(&format!(r#"{{"connectionPool":{{"leaseTtl":86400000,"acquireTimeout":86400000,{settings}}}}}"#))
        .unwrap()
        .pool
}

struct World {
    pool: LeasePool,
    rng: SplitMix,
    notes: Notes,
    now: Instant,
    held: BTreeMap<u32, Lease>,
    waiting: BTreeMap<u32, (Ticket, Priority, Instant)>,
    /// When those who wait ask again by themselves.
    due: BTreeMap<u32, Instant>,
    next_call: u32,
}

impl World {
    fn new(settings: &str) -> Self {
        let pool = LeasePool::new(config(settings));
        let (held, waiting) = (BTreeMap::new(), BTreeMap::new());
        Self {
            pool,
            rng: SplitMix::new(1),
            notes: Notes::default(),
            now: START,
            held,
            waiting,
            due: BTreeMap::new(),
            next_call: 1,
        }
    }

    fn ask(&mut self, call: u32, priority: Priority) -> LeaseAnswer {
        let known = self.waiting.remove(&call);
        let mut cx = Cx { now: self.now, rng: &mut self.rng, notes: &mut self.notes };
        let ticket = known.map(|(ticket, ..)| ticket);
        let answer = self.pool.decide(call, priority, ticket, START.plus(86_400_000), &mut cx);
        match answer {
            LeaseAnswer::Granted(lease) => {
                self.held.insert(call, lease);
                self.due.remove(&call);
            }
            LeaseAnswer::Wait { ticket, until } => {
                self.due.insert(call, until);
                let since = known.map_or(self.now, |(.., since)| since);
                self.waiting.insert(call, (ticket, priority, since));
            }
            other => panic!("{other:?}"),
        }
        answer
    }

    fn next_due(&self) -> Option<u32> {
        self.due.iter().find(|(_, until)| **until <= self.now).map(|(call, _)| *call)
    }

    fn come(&mut self, priority: Priority) -> LeaseAnswer {
        self.next_call += 1;
        self.ask(self.next_call, priority)
    }

    /// Gives one lease back and wakes who is told; returns the call that goes on, with its priority and its coming.
    fn give_back(&mut self, call: u32) -> Option<(u32, Priority, Instant)> {
        let lease = self.held.remove(&call)?;
        let mut cx = Cx { now: self.now, rng: &mut self.rng, notes: &mut self.notes };
        self.pool.release(lease, false, &mut cx);
        let next = self.pool.next_waiter()?;
        let (_, priority, since) = self.waiting[&next];
        let answer = self.ask(next, priority);
        assert!(matches!(answer, LeaseAnswer::Granted(_)), "it was told: {answer:?}");
        Some((next, priority, since))
    }
}

#[derive(Clone, Debug)]
enum Act {
    Come(usize),
    GiveBack,
    Cancel(prop::sample::Index),
    Pass(Millis),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        5 => (0_usize..4).prop_map(Act::Come),
        4 => Just(Act::GiveBack),
        1 => any::<prop::sample::Index>().prop_map(Act::Cancel),
        3 => (0_u64..400).prop_map(Act::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// POOL-13: nobody is overtaken by one that came more than 1.5 s later, nor by a later one of its own
    /// priority or below; and who was cancelled leaves no place.
    #[test]
    fn no_priority_starves_beyond_the_bound(acts in vec(act(), 1..300), leases in 1_u32..4) {
        let mut world = World::new(&format!(r#""queueOrder":"fifo","maxConnections":{leases}"#));
        for act in acts {
            match act {
                Act::Come(priority) => {
                    world.come(PRIORITIES[priority]);
                }
                Act::Pass(ms) => world.now = world.now.plus(ms),
                Act::Cancel(index) if !world.waiting.is_empty() => {
                    let call = *index.get(&world.waiting.keys().copied().collect::<Vec<_>>());
                    let (ticket, ..) = world.waiting.remove(&call).unwrap();
                    world.due.remove(&call);
                    world.pool.leave_queue(Some(ticket));
                }
                Act::Cancel(_) => {}
                Act::GiveBack => {
                    let Some(&call) = world.held.keys().next() else { continue };
                    if let Some((_, priority, since)) = world.give_back(call) {
                        for (_, other, came) in world.waiting.values() {
                            let worth = PRIORITIES.iter().position(|it| *it == priority).unwrap() as i64
                                - PRIORITIES.iter().position(|it| it == other).unwrap() as i64;
                            let allowed = AGEING_MS * worth.max(0) as u64;
                            prop_assert!(since.since(*came) <= allowed, "{priority:?} overtook {other:?} by {}", since.since(*came));
                            prop_assert!(since.since(*came) <= 3 * AGEING_MS);
                        }
                    }
                }
            }
            prop_assert!(world.pool.in_use() <= leases);
            prop_assert_eq!(world.pool.waiting(), world.waiting.len());
            prop_assert!(world.waiting.is_empty() || world.pool.in_use() == leases, "a lease is free and somebody waits");
        }
        while let Some(&call) = world.held.keys().next() {
            world.give_back(call);
        }
        prop_assert_eq!((world.pool.in_use(), world.pool.waiting()), (0, 0));
    }

    /// POOL-13: in lasting overload, when the newest go first, each priority that waits has one turn in 32 at least.
    #[test]
    fn in_overload_no_priority_starves(coming in vec(0_usize..4, 400), leases in 1_u32..4) {
        let mut world = World::new(&format!(r#""maxConnections":{}"#, leases + 1));
        for priority in PRIORITIES {
            for _ in 0..10 {
                world.come(priority);
            }
        }
        world.now = world.now.plus(2_000);
        let mut since_turn = [0_u32; 4];
        for priority in coming {
            // Two of the most urgent come for each turn.
            world.come(PRIORITIES[priority.max(2)]);
            world.come(Priority::Critical);
            world.now = world.now.plus(1);
            let call = *world.held.keys().next().unwrap();
            let (_, served, _) = world.give_back(call).unwrap();
            for (index, it) in PRIORITIES.iter().enumerate() {
                let waits = world.waiting.values().any(|(_, priority, _)| priority == it);
                since_turn[index] = if *it == served || !waits { 0 } else { since_turn[index] + 1 };
                prop_assert!(since_turn[index] <= 4 * ROTATES_EVERY, "{it:?} waited for {} turns", since_turn[index]);
            }
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// POOL-05: of 1,000 that come at once, whatever the strategy, the order and the bound, never more than the bound
    /// hold a lease, and all are served.
    #[test]
    fn a_thousand_at_once_never_exceed_the_bound(
        leases in 1_u32..8,
        strategy in prop::sample::select(vec!["adaptive", "balanced", "performance", "resource_conserving"]),
        order in prop::sample::select(vec!["adaptive", "fifo", "lifo"]),
        ends in vec(any::<prop::sample::Index>(), 1_000),
    ) {
        let mut world = World::new(&format!(r#""maxConnections":{leases},"strategy":"{strategy}","queueOrder":"{order}""#));
        for number in 0..1_000 {
            world.come(PRIORITIES[number % 4]);
        }
        let mut served = 0;
        for end in ends {
            world.now = world.now.plus(1);
            let call = *end.get(&world.held.keys().copied().collect::<Vec<_>>());
            world.give_back(call);
            // Who is told asks, and who was told to ask by itself.
            while let Some(next) = world.pool.next_waiter().or_else(|| world.next_due()) {
                let priority = world.waiting[&next].1;
                world.ask(next, priority);
            }
            served += 1;
            prop_assert!(world.pool.in_use() <= leases);
            prop_assert!(world.pool.connections().count() <= leases as usize);
        }
        prop_assert_eq!((served, world.held.len(), world.waiting.len()), (1_000, 0, 0));
    }
}
