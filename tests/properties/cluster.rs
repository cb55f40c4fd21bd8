//! Clusters: writes never reach a read-only endpoint, targets and time are bounded, somebody always stays in service, and
//! each route that begins ends.

use proptest::collection::vec;
use proptest::prelude::*;
use seawall::clock::Instant;
use seawall::cluster::{Cluster, ClusterConfig, Ended, Health, Spread, Step, Wish};
use seawall::config::parse::parse;
use seawall::error::Code;
use seawall::outcome::{Effect, Judgement, OUTCOMES, Outcome};
use seawall::query::{Class, Kind, Query};

const START: Instant = Instant(1_795_000_000_000);
const FAILOVER_MS: u64 = 5_000;

/// How the target of a step ends, and after how much of the time that it has.
#[derive(Clone, Copy, Debug)]
enum End {
    Answered,
    Left,
    Failed(u8, u8),
    Refused(u8),
    /// It says nothing until its time is over.
    Hung,
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![
        4 => Just(End::Answered),
        1 => Just(End::Left),
        4 => (0_u8..12, 0_u8..3).prop_map(|(outcome, effect)| End::Failed(outcome, effect)),
        2 => (1_u8..13).prop_map(End::Refused),
        2 => Just(End::Hung),
    ]
}

#[derive(Clone, Debug)]
struct Operation {
    kind: u32,
    class: u32,
    timeout_ms: Option<u64>,
    wish: Wish,
    ends: Vec<(End, u64)>,
    /// How long after the one before it begins.
    gap_ms: u64,
}

fn operation() -> impl Strategy<Value = Operation> {
    let wish = (prop_oneof![3 => Just(u32::MAX), 1 => any::<u32>()], any::<u32>(), 0_u64..4, any::<bool>())
        .prop_map(|(allowed, near, floor, fails_over)| Wish { allowed, near, floor, fails_over });
    let timeout_ms = prop_oneof![3 => Just(None), 1 => (0_u64..20_000).prop_map(Some)];
    let ends = vec((end(), 0_u64..200), 8);
    (0_u32..3, 0_u32..4, timeout_ms, wish, ends, prop_oneof![0_u64..50, 0_u64..20_000]).prop_map(
        |(kind, class, timeout_ms, wish, ends, gap_ms)| Operation { kind, class, timeout_ms, wish, ends, gap_ms },
    )
}

fn ended(end: End) -> Ended {
    match end {
        End::Answered => Ended::Answered,
        End::Left => Ended::Left,
        End::Hung => Ended::Failed(Judgement::TIMEOUT),
        End::Refused(code) => {
            let code = Code::from_number(u32::from(code)).unwrap();
            Ended::Refused { code, retry_at: START.plus(60_000) }
        }
        End::Failed(outcome, effect) => {
            let effect = [Effect::NotExecuted, Effect::Executed, Effect::Unknown][usize::from(effect)];
            Ended::Failed(Judgement { outcome: OUTCOMES[usize::from(outcome)], effect })
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn whatever_fails_the_promises_of_a_cluster_hold(
        members in vec((any::<bool>(), 1_u32..4), 1..7),
        strategy in 0_u32..4,
        is_balanced in any::<bool>(),
        targets_max in 1_u32..5,
        operations in vec(operation(), 1..60),
    ) {
        let config = ClusterConfig {
            is_balanced, strategy: Spread::from_number(strategy), fails_over: true, failover_ms: FAILOVER_MS, targets_max,
        };
        let deadlines = parse("{}").unwrap().deadlines;
        let mut cluster = Cluster::new(config, deadlines, 3, START);
        for (is_writable, priority) in &members {
            cluster.add(*is_writable, *priority, START);
        }
        let mut now = START;
        for operation in operations {
            now = now.plus(operation.gap_ms);
            let began = now;
            let query = Query {
                timeout_ms: operation.timeout_ms,
                ..Query::new(Class::from_number(operation.class).unwrap(), Kind::from_number(operation.kind).unwrap())
            };
            let is_read = query.kind == Kind::Read;
            let reach = (0..members.len())
                .filter(|&at| operation.wish.allowed >> at & 1 != 0 && (is_read || members[at].0)).count();
            let mut step = cluster.begin(&query, operation.wish, now);
            let (mut sent, mut asked, mut ends) = (0, Vec::new(), operation.ends.iter());
            while let Step::Target { route, endpoint, timeout_ms, .. } = step {
                prop_assert!(is_read || members[endpoint].0, "a write to a read-only endpoint");
                prop_assert!(operation.wish.allowed >> endpoint & 1 != 0, "an endpoint that was not allowed");
                prop_assert!(!asked.contains(&endpoint), "the same endpoint again");
                prop_assert!(operation.wish.fails_over || asked.is_empty(), "another one, against the wish");
                asked.push(endpoint);
                let (end, takes_ms) = ends.next().copied().unwrap_or((End::Answered, 0));
                let own_ms = timeout_ms.unwrap_or(60_000);
                now = now.plus(if matches!(end, End::Hung) { own_ms } else { takes_ms.min(own_ms) });
                let how = ended(end);
                sent += u32::from(!matches!(how, Ended::Refused { code: Code::CircuitOpen, .. }));
                step = cluster.report(route, how, now);
                if let Step::Target { .. } = step {
                    prop_assert!(!matches!(how, Ended::Answered | Ended::Left), "on, after an end");
                    let may_have_run = matches!(how, Ended::Failed(Judgement { effect, .. }) if effect != Effect::NotExecuted);
                    prop_assert!(is_read || !may_have_run, "a write again that may have run");
                }
            }
            prop_assert!(sent <= targets_max, "{sent} targets of at most {targets_max}");
            prop_assert_eq!(asked.is_empty(), reach == 0, "an operation that could go somewhere was given nothing");
            if sent > 1 && is_read && operation.class != Class::Transaction as u32 && operation.timeout_ms != Some(0) {
                let bound = operation.timeout_ms.unwrap_or(FAILOVER_MS) + 200 + asked.len() as u64;
                prop_assert!(now.since(began) <= bound, "{} ms for {asked:?}", now.since(began));
            }
            let away = (0..members.len()).filter(|&at| cluster.look(at, now).unwrap().health == Health::Ejected).count();
            prop_assert!(away < members.len(), "everybody is ejected");
            prop_assert_eq!(cluster.running(), 0, "a route did not end");
            for at in 0..members.len() {
                prop_assert_eq!(cluster.look(at, now).unwrap().pending, 0);
            }
        }
    }

    #[test]
    fn routes_at_once_keep_the_counts_right(
        ends in vec((any::<prop::sample::Index>(), end()), 1..200),
        strategy in 0_u32..4,
    ) {
        let config = ClusterConfig { strategy: Spread::from_number(strategy), ..ClusterConfig::default() };
        let mut cluster = Cluster::new(config, parse("{}").unwrap().deadlines, 3, START);
        for at in 0..3 {
            cluster.add(at == 0, 1, START);
        }
        let mut out = Vec::new();
        let mut now = START;
        for (which, end) in ends {
            now = now.plus(3);
            match cluster.begin(&Query::new(Class::Query, Kind::Read), Wish::ANY, now) {
                Step::Target { route, .. } => out.push(route),
                other => prop_assert!(false, "{other:?}"),
            }
            let place = which.index(out.len());
            let route = out[place];
            if !matches!(cluster.report(route, ended(end), now), Step::Target { .. }) {
                out.swap_remove(place);
            }
            // Once more changes nothing, unless it went on under the same number.
            if !out.contains(&route) {
                cluster.report(route, Ended::Failed(Judgement { outcome: Outcome::Network, effect: Effect::Unknown }), now);
            }
            let pending: u32 = (0..3).map(|at| cluster.look(at, now).unwrap().pending).sum();
            prop_assert_eq!((cluster.running(), pending as usize), (out.len(), out.len()));
        }
    }
}
