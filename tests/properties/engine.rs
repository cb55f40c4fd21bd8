//! Whatever hosts do, in whatever order, with whatever clock.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use seawall::clock::Instant;
use seawall::config::parse::parse;
use seawall::engine::Engine;
use seawall::engine::step::{CallId, Step};
use seawall::outcome::{Effect, Judgement, OUTCOMES};
use seawall::query::{Class, Kind, Priority, Query};

#[derive(Clone, Debug)]
enum Act {
    Begin {
        kind: u32,
        is_held: bool,
        timeout_ms: Option<u64>,
    },
    Report {
        pick: prop::sample::Index,
        outcome: usize,
        effect: u8,
    },
    Wake {
        pick: prop::sample::Index,
    },
    Renew {
        pick: prop::sample::Index,
    },
    Cancel {
        pick: prop::sample::Index,
    },
    /// The host forgets a call, as a cancelled request does.
    Forget {
        pick: prop::sample::Index,
    },
    Pass {
        ms: i64,
    },
    Close,
    Reopen,
}

fn act() -> impl Strategy<Value = Act> {
    let pick = any::<prop::sample::Index>;
    prop_oneof![
        6 => (0_u32..3, prop::bool::weighted(0.1), prop::option::of(0_u64..20_000))
            .prop_map(|(kind, is_held, timeout_ms)| Act::Begin { kind, is_held, timeout_ms }),
        6 => (pick(), 0_usize..12, 0_u8..3).prop_map(|(pick, outcome, effect)| Act::Report { pick, outcome, effect }),
        4 => pick().prop_map(|pick| Act::Wake { pick }),
        1 => pick().prop_map(|pick| Act::Renew { pick }),
        1 => pick().prop_map(|pick| Act::Cancel { pick }),
        1 => pick().prop_map(|pick| Act::Forget { pick }),
        4 => prop_oneof![0_i64..50, 0_i64..8_000, Just(-3_000_i64), Just(60_000_i64)].prop_map(|ms| Act::Pass { ms }),
        1 => prop_oneof![4 => Just(Act::Reopen), 1 => Just(Act::Close)],
    ]
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Attempting,
    Waiting,
}

/// A host that remembers what it was told to do.
struct Host {
    engine: Engine,
    now: Instant,
    calls: BTreeMap<CallId, (State, bool)>,
    held: usize,
}

impl Host {
    fn take(&mut self, step: Step, is_held: bool) {
        match step {
            Step::Attempt { call, .. } => {
                self.calls.insert(call, (State::Attempting, is_held));
            }
            Step::Wait { call, until, .. } => {
                assert!(until >= self.now, "told to wait until the past");
                self.calls.insert(call, (State::Waiting, is_held));
            }
            Step::Check { call, .. } => {
                let step = self.engine.checked(call, call.to_number() % 3 > 0, self.now);
                self.take(step, is_held);
            }
            Step::Refuse { .. } | Step::Done { .. } => {}
        }
    }

    fn pick(&self, index: prop::sample::Index, state: Option<State>) -> Option<CallId> {
        let fitting: Vec<CallId> = self
            .calls
            .iter()
            .filter(|(_, (its, _))| state.is_none_or(|state| *its == state))
            .map(|(call, _)| *call)
            .collect();
        (!fitting.is_empty()).then(|| *index.get(&fitting))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn leases_never_exceed_the_bound_and_every_call_can_be_ended(
        acts in vec(act(), 1..200),
        leases_max in 1_u32..4,
        is_polling in any::<bool>(),
        has_connections in any::<bool>(),
        strategy in prop::sample::select(vec!["adaptive", "balanced", "performance", "resource_conserving"]),
        order in prop::sample::select(vec!["adaptive", "fifo", "lifo"]),
        seed in any::<u64>(),
    ) {
        let settings = format!(
            r#"{{"connectionPool":{{"maxConnections":{leases_max},"minConnections":0,"maxQueue":20,
                 "strategy":"{strategy}","queueOrder":"{order}","validationInterval":20,"maxUses":3,"maxAge":5000}},
                 "platform":{{"isPolling":{is_polling},"hasConnections":{has_connections}}}}}"#
        );
        let start = Instant(1_795_000_000_000);
        let engine = Engine::new(parse(&settings).unwrap(), seed, start);
        let mut host = Host { engine, now: start, calls: BTreeMap::new(), held: 0 };
        let mut passed_ms = 0;
        for act in acts {
            match act {
                Act::Begin { kind, is_held, timeout_ms } => {
                    let kind = Kind::from_number(kind).unwrap();
                    let priority = [Priority::Low, Priority::Medium, Priority::High, Priority::Critical][kind as usize + usize::from(is_held)];
                    let query = Query { is_held, timeout_ms, priority, ..Query::new(Class::Query, kind) };
                    let step = host.engine.begin(query, host.now);
                    host.take(step, is_held);
                }
                Act::Report { pick, outcome, effect } => {
                    if let Some(call) = host.pick(pick, Some(State::Attempting)) {
                        let effect = [Effect::NotExecuted, Effect::Executed, Effect::Unknown][usize::from(effect)];
                        let (_, is_held) = host.calls.remove(&call).unwrap();
                        let judgement = Judgement { outcome: OUTCOMES[outcome], effect };
                        let step = host.engine.report(call, judgement, host.now);
                        prop_assert!(!(is_held && matches!(step, Step::Wait { .. })), "a held call was retried");
                        host.take(step, is_held);
                    }
                }
                Act::Wake { pick } => {
                    if let Some(call) = host.pick(pick, Some(State::Waiting)) {
                        let (_, is_held) = host.calls.remove(&call).unwrap();
                        let step = host.engine.wake(call, host.now);
                        host.take(step, is_held);
                    }
                }
                Act::Renew { pick } => {
                    if let Some(call) = host.pick(pick, None) {
                        host.engine.renew(call, host.now);
                    }
                }
                Act::Cancel { pick } => {
                    if let Some(call) = host.pick(pick, None) {
                        host.calls.remove(&call);
                        host.engine.cancel(call, host.now);
                    }
                }
                Act::Forget { pick } => {
                    if let Some(call) = host.pick(pick, None) {
                        host.calls.remove(&call);
                        host.held += 1;
                    }
                }
                Act::Pass { ms } => {
                    host.now = Instant(host.now.0.saturating_add_signed(ms));
                    passed_ms += ms.max(0);
                }
                Act::Close => host.engine.close(host.now),
                Act::Reopen => host.engine.reopen(),
            }
            let now = host.now;
            prop_assert!(host.engine.pool(now).in_use() <= leases_max);
            prop_assert_eq!(host.engine.notes().tally().transitions_refused, 0);
            // What is long past its end is forgotten, whether its host lives or not.
            let told = host.calls.len() + host.held;
            prop_assert!(host.engine.running() <= told);
            prop_assert!(host.engine.running() == told || passed_ms > 10_000);
        }
        // Whatever was lost, after the lease time the pool grants again.
        for call in host.calls.keys().copied().collect::<Vec<_>>() {
            host.engine.cancel(call, host.now);
        }
        host.engine.reopen();
        host.engine.reset_breaker(host.now);
        host.now = host.now.plus(120_000);
        let step = host.engine.begin(Query::new(Class::Query, Kind::Read), host.now);
        prop_assert!(matches!(step, Step::Attempt { .. }), "{:?}", step);
    }

    #[test]
    fn a_write_whose_answer_was_lost_is_never_repeated(outcome in 1_usize..12, seed in any::<u64>()) {
        let now = Instant(1_795_000_000_000);
        let mut engine = Engine::new(parse("{}").unwrap(), seed, now);
        let Step::Attempt { call, .. } = engine.begin(Query::new(Class::Query, Kind::Write), now) else {
            panic!("refused")
        };
        let judgement = Judgement { outcome: OUTCOMES[outcome], effect: Effect::Unknown };
        let step = engine.report(call, judgement, now);
        prop_assert!(matches!(step, Step::Done { .. }), "{:?}", step);
    }
}
