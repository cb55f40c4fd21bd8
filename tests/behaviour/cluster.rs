//! Several endpoints: who takes an operation, who takes it next, and how long each is waited for.

use seawall::clock::{Instant, Millis};
use seawall::cluster::{Cluster, ClusterConfig, Ended, Health, RouteEnding, RouteId, Spread, Step, Wish};
use seawall::error::Code;
use seawall::outcome::Judgement;
use seawall::query::{Class, Kind, Query};

use crate::host::{READ, START, WRITE, lost, not_sent, settings, unavailable};

const PRIMARY: usize = 0;
const SLOWEST: Millis = 40;

/// A cluster on a hand-set clock: a writable endpoint and so many replicas.
struct Rig {
    cluster: Cluster,
    now: Instant,
}

/// A target that was given.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Given {
    route: RouteId,
    endpoint: usize,
    timeout_ms: Option<Millis>,
    is_last: bool,
}

impl Rig {
    fn new(config: ClusterConfig, replicas: usize) -> Self {
        let mut cluster = Cluster::new(config, settings("{}").deadlines, 7, START);
        for endpoint in 0..=replicas {
            assert_eq!(cluster.add(endpoint == PRIMARY, 1, START), Some(endpoint));
        }
        Self { cluster, now: START }
    }

    fn with(strategy: Spread, replicas: usize) -> Self {
        Self::new(ClusterConfig { strategy, ..ClusterConfig::default() }, replicas)
    }

    fn later(&mut self, ms: Millis) {
        self.now = self.now.plus(ms);
    }

    fn begin(&mut self, query: Query, wish: Wish) -> Step {
        self.cluster.begin(&query, wish, self.now)
    }

    fn read(&mut self) -> Given {
        given(self.begin(READ, Wish::ANY))
    }

    fn report(&mut self, route: RouteId, ended: Ended) -> Step {
        self.cluster.report(route, ended, self.now)
    }

    fn fail(&mut self, route: RouteId, judgement: Judgement) -> Step {
        self.report(route, Ended::Failed(judgement))
    }

    /// So many reads one after the other, each taking what its endpoint takes; how many each endpoint was given.
    fn sequence(&mut self, reads: usize, takes_ms: &[Millis]) -> Vec<usize> {
        let mut counts = vec![0; takes_ms.len()];
        for _ in 0..reads {
            let Given { route, endpoint, .. } = self.read();
            counts[endpoint] += 1;
            self.later(takes_ms[endpoint]);
            self.report(route, Ended::Answered);
        }
        counts
    }

    fn health(&self, endpoint: usize) -> Health {
        self.cluster.look(endpoint, self.now).unwrap().health
    }

    /// Lets each endpoint answer once in a time of its own.
    fn warm(&mut self, takes_ms: &[Millis]) {
        for (endpoint, takes_ms) in takes_ms.iter().enumerate() {
            let target = given(self.begin(READ, Wish { allowed: 1 << endpoint, ..Wish::ANY }));
            self.later(*takes_ms);
            self.report(target.route, Ended::Answered);
        }
    }
}

fn given(step: Step) -> Given {
    match step {
        Step::Target { route, endpoint, timeout_ms, is_last } => Given { route, endpoint, timeout_ms, is_last },
        other => panic!("{other:?}"),
    }
}

fn ending(step: Step) -> RouteEnding {
    match step {
        Step::Done { ending, .. } => ending,
        other => panic!("{other:?}"),
    }
}

fn refused(code: Code) -> Ended {
    Ended::Refused { code, retry_at: START.plus(30_000) }
}

/// LB-01: round robin gives each endpoint as many reads as another, however long they take.
#[test]
fn round_robin_is_even() {
    let counts = Rig::with(Spread::RoundRobin, 2).sequence(300, &[2, 5, SLOWEST]);
    assert_eq!(counts, [100, 100, 100]);
}

/// LB-01 and LB-03: the default prefers the quickest endpoint, and tries the others again from time to time.
#[test]
fn performance_prefers_the_quickest() {
    assert_eq!(ClusterConfig::default().strategy, Spread::Performance);
    let counts = Rig::new(ClusterConfig::default(), 2).sequence(5_000, &[20, 4, SLOWEST]);
    assert!(counts[1] > 4_500 && counts[0] > counts[2] && counts[2] > 1, "{counts:?}");
}

/// LB-01: under load, the quickest endpoint gets more and not all.
#[test]
fn performance_spreads_a_crowd_by_cost() {
    let mut rig = Rig::new(ClusterConfig::default(), 2);
    rig.warm(&[10, 10, 20]);
    let mut counts = [0; 3];
    for _ in 0..50 {
        counts[rig.read().endpoint] += 1;
    }
    assert_eq!(counts, [20, 20, 10]);
}

/// LB-01: the fewest pending, whatever the latencies.
#[test]
fn least_connections_evens_out_what_is_pending() {
    let mut rig = Rig::with(Spread::LeastConnections, 2);
    rig.warm(&[1, 1, SLOWEST]);
    let routes: Vec<Given> = (0..30).map(|_| rig.read()).collect();
    for target in routes.iter().filter(|target| target.endpoint == 1) {
        rig.report(target.route, Ended::Answered);
    }
    let next: Vec<usize> = (0..10).map(|_| rig.read().endpoint).collect();
    assert_eq!(next, [1; 10], "the one that has answered all of its ten");
}

/// LB-01: adaptive takes turns while the endpoints are alike, evens out a crowd, and leaves one that has become slow.
#[test]
fn adaptive_goes_by_what_it_measures() {
    let alike = Rig::with(Spread::Adaptive, 2).sequence(300, &[4, 5, 6]);
    assert_eq!(alike, [100, 100, 100]);
    let unlike = Rig::with(Spread::Adaptive, 2).sequence(3_000, &[4, 5, SLOWEST]);
    assert!(unlike[2] < 60 && unlike[2] > 0, "{unlike:?}");
    let mut rig = Rig::with(Spread::Adaptive, 2);
    rig.warm(&[4, 4, 4]);
    let crowd: Vec<Given> = (0..12).map(|_| rig.read()).collect();
    for target in crowd.iter().filter(|target| target.endpoint == 2) {
        rig.report(target.route, Ended::Answered);
    }
    assert_eq!([rig.read().endpoint, rig.read().endpoint], [2, 2]);
}

/// LB-01: of more than five endpoints two at random are compared, so that a crowd of isolates does not follow one number.
#[test]
fn performance_compares_two_of_many() {
    let mut rig = Rig::new(ClusterConfig::default(), 9);
    rig.warm(&[1, 2, 2, 2, 2, 2, 2, 2, 2, 2]);
    let mut counts = [0; 10];
    for _ in 0..1_000 {
        let target = rig.read();
        counts[target.endpoint] += 1;
        rig.report(target.route, Ended::Left);
    }
    assert!((120..400).contains(&counts[0]), "the best of two, and not of all: {counts:?}");
}

/// LB-02: without balancing, always the first healthy endpoint of the first priority.
#[test]
fn without_balancing_the_first_one_takes_all() {
    let config = ClusterConfig { is_balanced: false, ..ClusterConfig::default() };
    let mut rig = Rig::new(config, 2);
    assert_eq!(rig.sequence(100, &[SLOWEST, 1, 1]), [100, 0, 0]);
    let target = rig.read();
    let next = given(rig.report(target.route, refused(Code::CircuitOpen)));
    rig.report(next.route, Ended::Answered);
    assert_eq!(rig.sequence(10, &[1, 1, 1]), [0, 10, 0]);
}

/// LB-04: a read whose endpoint fails in any way is given another one, and then a third.
#[test]
fn a_read_moves_on() {
    for judgement in [not_sent(), lost(), unavailable(), Judgement::TIMEOUT] {
        let mut rig = Rig::new(ClusterConfig::default(), 2);
        let first = rig.read();
        let second = given(rig.fail(first.route, judgement));
        let third = given(rig.fail(second.route, judgement));
        let mut all = [first.endpoint, second.endpoint, third.endpoint];
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2]);
        assert_eq!([first.is_last, second.is_last, third.is_last], [false, false, true]);
        assert_eq!(rig.report(third.route, Ended::Answered), done(RouteEnding::AsReported, 3));
    }
}

fn done(ending: RouteEnding, targets: u32) -> Step {
    Step::Done { ending, targets, retry_at: Instant::NEVER, time_ms: 5_000 }
}

/// LB-04: what the database says of the statement itself is handed on at once.
#[test]
fn an_error_of_the_statement_moves_nowhere() {
    let mut rig = Rig::new(ClusterConfig::default(), 2);
    let first = rig.read();
    let judgement = seawall::outcome::judge(200, "SQL_PARSE_ERROR", true);
    assert_eq!(rig.fail(first.route, judgement), done(RouteEnding::AsReported, 1));
    assert_eq!(rig.health(first.endpoint), Health::Healthy);
}

/// LB-04: nothing moves on where failover is off, for all or for one operation.
#[test]
fn failover_can_be_turned_off() {
    let mut off = Rig::new(ClusterConfig { fails_over: false, ..ClusterConfig::default() }, 2);
    let target = off.read();
    assert_eq!((target.timeout_ms, target.is_last), (None, true));
    assert_eq!(ending(off.fail(target.route, unavailable())), RouteEnding::AsReported);
    let mut on = Rig::new(ClusterConfig::default(), 2);
    let target = given(on.begin(READ, Wish { fails_over: false, ..Wish::ANY }));
    assert_eq!((target.timeout_ms, target.is_last), (None, true));
    assert_eq!(ending(on.fail(target.route, unavailable())), RouteEnding::AsReported);
}

/// LB-05: three endpoints that hang take 5 s together, and none of them takes it all.
#[test]
fn a_failover_is_bounded() {
    let mut rig = Rig::new(ClusterConfig::default(), 2);
    let mut target = rig.read();
    let mut waited = Vec::new();
    loop {
        let timeout_ms = target.timeout_ms.unwrap();
        waited.push(timeout_ms);
        rig.later(timeout_ms);
        match rig.fail(target.route, Judgement::TIMEOUT) {
            step @ Step::Target { .. } => target = given(step),
            step => break assert_eq!(step, done(RouteEnding::Late, 3)),
        }
    }
    assert_eq!(waited, [1_000, 1_000, 3_000]);
}

/// LB-05: an operation's own time bounds all of its targets and is shared between them.
#[test]
fn a_time_of_its_own_is_shared() {
    let mut rig = Rig::new(ClusterConfig::default(), 2);
    let first = given(rig.begin(Query { timeout_ms: Some(30_000), ..READ }, Wish::ANY));
    assert_eq!(first.timeout_ms, Some(10_000));
    rig.later(10_000);
    let second = given(rig.fail(first.route, Judgement::TIMEOUT));
    assert_eq!(second.timeout_ms, Some(10_000));
    let short = given(rig.begin(Query { timeout_ms: Some(300), ..READ }, Wish::ANY));
    assert!(short.timeout_ms.unwrap() <= 150, "{short:?}");
    let endless = given(rig.begin(Query { timeout_ms: Some(0), ..READ }, Wish::ANY));
    assert_eq!(endless.timeout_ms, None);
}

/// LB-05: an endpoint that is known to take long is waited for longer.
#[test]
fn patience_follows_the_latency() {
    let mut rig = Rig::new(ClusterConfig::default(), 2);
    rig.warm(&[350, 350, 350]);
    assert_eq!(rig.read().timeout_ms, Some(1_400));
}

/// LB-06: at most so many targets, however many endpoints there are.
#[test]
fn targets_are_counted() {
    for (targets_max, expected) in [(1, 1), (2, 2), (3, 3)] {
        let mut rig = Rig::new(ClusterConfig { targets_max, ..ClusterConfig::default() }, 7);
        let mut target = rig.read();
        let mut targets = 1;
        while let step @ Step::Target { .. } = rig.fail(target.route, not_sent()) {
            target = given(step);
            targets += 1;
        }
        assert_eq!(targets, expected);
        assert!(target.is_last);
    }
    assert_eq!(ClusterConfig::default().targets_max, 3);
}

/// LB-06: an open circuit refuses before anything is sent, so it is no target; the soonest time to come back is told.
#[test]
fn an_open_circuit_is_no_target() {
    let mut rig = Rig::new(ClusterConfig { targets_max: 1, ..ClusterConfig::default() }, 2);
    let mut target = rig.read();
    for retry_in in [9_000, 4_000] {
        let retry_at = START.plus(retry_in);
        target = given(rig.report(target.route, Ended::Refused { code: Code::CircuitOpen, retry_at }));
    }
    let step = rig.report(target.route, refused(Code::CircuitOpen));
    let Step::Done { ending, retry_at, .. } = step else { panic!("{step:?}") };
    assert_eq!((ending, retry_at), (RouteEnding::AsReported, START.plus(4_000)));
}

/// LB-04: an endpoint whose circuit is open is left alone until its time, and then its first failure moves on.
#[test]
fn an_open_circuit_is_left_alone_and_probed() {
    let mut rig = Rig::with(Spread::RoundRobin, 2);
    let target = rig.read();
    rig.report(target.route, refused(Code::CircuitOpen));
    assert_eq!(rig.health(PRIMARY), Health::Refusing);
    rig.later(29_000);
    assert_eq!(rig.sequence(20, &[1, 1, 1])[PRIMARY], 0);
    rig.later(1_000);
    let mut probe = rig.read();
    while probe.endpoint != PRIMARY {
        rig.report(probe.route, Ended::Answered);
        probe = rig.read();
    }
    let next = given(rig.fail(probe.route, unavailable()));
    assert_ne!(next.endpoint, PRIMARY);
    assert_eq!(rig.health(PRIMARY), Health::Ejected, "once more is enough");
}

/// LB-08: a write goes to a writable endpoint or nowhere, as does what nobody knows to be a read.
#[test]
fn writes_go_to_writable_endpoints() {
    let mut rig = Rig::new(ClusterConfig::default(), 2);
    let queries = [WRITE, Query::new(Class::Query, Kind::Unknown), Query::new(Class::Transaction, Kind::Write)];
    for query in queries {
        for _ in 0..10 {
            let target = given(rig.begin(query, Wish::ANY));
            assert_eq!((target.endpoint, target.timeout_ms, target.is_last), (PRIMARY, None, true));
            rig.report(target.route, Ended::Answered);
        }
        let replicas = Wish { allowed: 0b110, ..Wish::ANY };
        assert_eq!(rig.begin(query, replicas), Step::Refuse(Code::NoEndpoint));
    }
}

/// LB-08: a write moves on to another writable endpoint only if nothing was sent.
#[test]
fn a_write_moves_on_only_if_nothing_was_sent() {
    let two_writable = || {
        let mut rig = Rig::new(ClusterConfig::default(), 2);
        assert_eq!(rig.cluster.add(true, 2, START), Some(3));
        rig
    };
    for judgement in [lost(), unavailable(), Judgement::TIMEOUT] {
        let mut rig = two_writable();
        let target = given(rig.begin(WRITE, Wish::ANY));
        assert_eq!((target.endpoint, target.timeout_ms), (PRIMARY, None));
        assert_eq!(ending(rig.fail(target.route, judgement)), RouteEnding::AsReported);
    }
    for ended in [Ended::Failed(not_sent()), refused(Code::CircuitOpen), refused(Code::PoolTimeout)] {
        let mut rig = two_writable();
        let target = given(rig.begin(WRITE, Wish::ANY));
        assert_eq!(given(rig.report(target.route, ended)).endpoint, 3);
    }
}

/// LB-07: a lower priority number comes first; the others are asked when no healthy endpoint of it is left.
#[test]
fn priorities_are_tiers() {
    let mut rig = Rig::new(ClusterConfig::default(), 1);
    rig.cluster.add(false, 2, START);
    assert_eq!(rig.sequence(50, &[20, 20, 1])[2], 0);
    let first = rig.read();
    let second = given(rig.report(first.route, refused(Code::CircuitOpen)));
    let third = given(rig.report(second.route, refused(Code::CircuitOpen)));
    assert_eq!(third.endpoint, 2);
    rig.report(third.route, Ended::Answered);
    assert_eq!(rig.sequence(50, &[20, 20, 1]), [0, 0, 50]);
}

/// LB-07 and DB-09: endpoints come and go while operations run; one that left takes nothing new, and its number is free
/// again when nothing is out there.
#[test]
fn endpoints_come_and_go() {
    let mut rig = Rig::with(Spread::RoundRobin, 2);
    let out = given(rig.begin(READ, Wish { allowed: 0b100, ..Wish::ANY }));
    rig.cluster.remove(2);
    assert_eq!(rig.health(2), Health::Gone);
    assert_eq!(rig.sequence(10, &[1, 1, 1]), [5, 5, 0]);
    assert_eq!(rig.cluster.add(false, 1, rig.now), Some(3), "an operation is still out at the second");
    rig.report(out.route, Ended::Answered);
    assert_eq!(rig.cluster.add(false, 1, rig.now), Some(2));
    assert_eq!(rig.sequence(40, &[1, 1, 1, 1]), [10, 10, 10, 10]);
}

/// LB-09: an operation goes only where it may, and its own region comes first while it is healthy.
#[test]
fn wishes_are_heeded() {
    let mut rig = Rig::with(Spread::RoundRobin, 3);
    let near = Wish { near: 0b1000, ..Wish::ANY };
    for _ in 0..5 {
        let target = given(rig.begin(READ, near));
        assert_eq!(target.endpoint, 3);
        rig.report(target.route, Ended::Answered);
    }
    let target = given(rig.begin(READ, near));
    rig.report(target.route, refused(Code::CircuitOpen));
    assert_ne!(given(rig.begin(READ, near)).endpoint, 3);
    for _ in 0..5 {
        let target = given(rig.begin(READ, Wish { allowed: 0b0110, ..near }));
        assert!([1, 2].contains(&target.endpoint));
    }
    assert_eq!(rig.begin(READ, Wish { allowed: 0, ..Wish::ANY }), Step::Refuse(Code::NoEndpoint));
}

/// LB-10: three failures in a row, of answers or of answers far slower than the others', send an endpoint away; it comes
/// back after 10 s, at a sweep, on probation.
#[test]
fn bad_endpoints_are_ejected() {
    let mut rig = Rig::with(Spread::RoundRobin, 2);
    rig.warm(&[5, 5, 5]);
    for _ in 0..3 {
        let target = given(rig.begin(READ, Wish { allowed: 0b010, ..Wish::ANY }));
        rig.fail(target.route, unavailable());
    }
    assert_eq!(
        (rig.health(1), rig.cluster.take_change(), rig.cluster.take_change()),
        (Health::Ejected, Some((1, true)), None)
    );
    for _ in 0..3 {
        let target = given(rig.begin(READ, Wish { allowed: 0b100, ..Wish::ANY }));
        rig.later(110);
        rig.report(target.route, Ended::Answered);
    }
    assert_eq!(rig.health(2), Health::Ejected, "110 ms, where another takes 5 ms");
    assert_eq!(rig.sequence(30, &[5, 5, 5]), [30, 0, 0]);
    rig.later(15_000);
    assert!(rig.sequence(30, &[5, 5, 5]).iter().all(|&count| count > 5));
    assert!(rig.cluster.is_changed());
}

/// LB-10: a hung endpoint gives no latency; what piles up there sends new reads elsewhere before the first has timed out.
#[test]
fn a_pile_is_a_stall() {
    let mut rig = Rig::with(Spread::RoundRobin, 2);
    rig.warm(&[5, 5, 5]);
    let one = Wish { allowed: 0b010, ..Wish::ANY };
    let hung = [given(rig.begin(READ, one)), given(rig.begin(READ, one))];
    rig.later(501);
    assert_eq!(rig.health(1), Health::Stalled);
    assert_eq!(rig.sequence(10, &[5, 5, 5])[1], 0);
    rig.report(hung[0].route, Ended::Answered);
    assert_eq!(rig.health(1), Health::Healthy, "a word ends it");
}

/// LB-12: when every endpoint is ill, all are asked as if they were well: an ejection refuses nobody.
#[test]
fn the_ill_are_asked_when_no_other_is_left() {
    let mut rig = Rig::with(Spread::RoundRobin, 2);
    for _ in 0..20 {
        let mut target = rig.read();
        while let step @ Step::Target { .. } = rig.fail(target.route, unavailable()) {
            target = given(step);
        }
    }
    assert!((0..3).filter(|&endpoint| rig.health(endpoint) == Health::Ejected).count() == 2, "one always stays");
    let mut target = rig.read();
    let mut asked = vec![target.endpoint];
    while let step @ Step::Target { .. } = rig.fail(target.route, unavailable()) {
        target = given(step);
        asked.push(target.endpoint);
    }
    assert_eq!(asked.len(), 3);
}

/// A read that must see an index goes to an endpoint that has shown it, or to a writable one.
#[test]
fn a_read_with_a_floor_prefers_who_has_seen_it() {
    let mut rig = Rig::with(Spread::RoundRobin, 2);
    rig.cluster.saw(2, 9);
    let floor = |floor| Wish { floor, ..Wish::ANY };
    for _ in 0..6 {
        let target = given(rig.begin(READ, floor(9)));
        assert_ne!(target.endpoint, 1);
        rig.report(target.route, Ended::Answered);
    }
    assert_eq!(given(rig.begin(READ, floor(10))).endpoint, PRIMARY);
    let replicas = Wish { allowed: 0b110, ..floor(10) };
    assert_ne!(
        given(rig.begin(READ, replicas)).endpoint,
        PRIMARY,
        "who has not seen it waits with the index sent along"
    );
}

/// LB-04: who writes all the time still leaves a primary that has become slow for replicas, which have not shown every
/// write yet, and goes back to it when it is quick again.
#[test]
fn a_slow_primary_is_left_for_replicas_that_have_not_shown_the_floor() {
    for strategy in [Spread::Performance, Spread::RoundRobin, Spread::LeastConnections, Spread::Adaptive] {
        let mut rig = Rig::with(strategy, 2);
        rig.warm(&[5, 5, 5]);
        let mut floor = 0;
        let mut reads = |rig: &mut Rig, takes_ms: &[Millis]| {
            let mut counts = [0; 3];
            for _ in 0..100 {
                floor += 1;
                let target = given(rig.begin(READ, Wish { floor, ..Wish::ANY }));
                counts[target.endpoint] += 1;
                rig.later(takes_ms[target.endpoint]);
                rig.report(target.route, Ended::Answered);
            }
            counts
        };
        let healthy = reads(&mut rig, &[5, 5, 5]);
        assert_eq!(healthy[PRIMARY], 100, "{strategy:?}: who wrote it answers at once");
        let slow = reads(&mut rig, &[60, 5, 5]);
        assert!(slow[PRIMARY] < 20, "{strategy:?}: {slow:?}");
        rig.later(20_000);
        let mended = reads(&mut rig, &[5, 5, 5]);
        assert!(mended[PRIMARY] > 90, "{strategy:?}: {mended:?}");
    }
}

/// A transaction counts as pending for as long as it is open, and is no stall.
#[test]
fn an_open_transaction_is_pending_and_no_stall() {
    let mut rig = Rig::with(Spread::LeastConnections, 1);
    let transaction = Query::new(Class::Transaction, Kind::Write);
    let held: Vec<Given> = (0..3).map(|_| given(rig.begin(transaction, Wish::ANY))).collect();
    rig.later(5_000);
    assert_eq!((rig.health(PRIMARY), rig.read().endpoint), (Health::Healthy, 1));
    for target in held {
        rig.report(target.route, Ended::Left);
    }
    assert_eq!(rig.cluster.look(PRIMARY, rig.now).unwrap().pending, 0);
}

/// A caller who left is forgotten after its deadline, and no longer counts as pending.
#[test]
fn routes_of_callers_who_left_are_forgotten() {
    let mut rig = Rig::new(ClusterConfig::default(), 2);
    for _ in 0..30 {
        rig.read();
    }
    rig.later(26_000);
    for _ in 0..60 {
        let target = rig.read();
        rig.report(target.route, Ended::Answered);
    }
    assert_eq!(rig.cluster.running(), 0);
}
