//! Deployments over a store that may be cut off after any write, with operators that come back too late.

use proptest::prelude::*;
use seawall::clock::Instant;
use seawall::rollout::deployment::{Deployment, Intent, LOCK_MS, Status};
use seawall::rollout::event::{Effect, Event, Order, Refused, admits};
use seawall::rollout::kept::Unkept;
use seawall::rollout::phases::start;
use seawall::rollout::plan::{Phase, Step, Values, usual};
use seawall::rollout::{Latencies, Pool, Sample, Thresholds, Verdict};

const MINUTE: u64 = 60_000;

/// What is in the store: one document, the values, and the newest token that it has seen. Each effect is one atomic step.
#[derive(Clone, Debug, Default)]
struct Store {
    document: Option<String>,
    values: Values,
    fence: u64,
}

impl Store {
    fn new() -> Self {
        // What is not there, what is empty, and text that any parser would change.
        let values =
            [("monitoring", Some(" off\r\n")), ("pool", None), ("breaker", Some("")), ("other", Some("é 1.0"))];
        let values = values.into_iter().map(|(key, value)| (key.to_owned(), value.map(str::to_owned))).collect();
        Self { values, ..Self::default() }
    }

    fn read(&self) -> Deployment {
        let deployment: Deployment = serde_json::from_str(self.document.as_ref().unwrap()).unwrap();
        assert_eq!(deployment.problem(), None, "{deployment:?}");
        deployment
    }

    /// Carries out one effect; false if it is refused.
    fn carry_out(&mut self, document: &Deployment, effect: &Effect) -> bool {
        match effect {
            Effect::Save { revision, fence } => {
                let held = self.document.as_ref().map_or(0, |_| self.read().revision);
                if !admits(self.fence, *fence) || *revision != held + 1 {
                    return false;
                }
                self.fence = *fence;
                self.document = Some(serde_json::to_string(document).unwrap());
            }
            Effect::Write { fence, key, value } => {
                if !admits(self.fence, *fence) {
                    return false;
                }
                self.values.insert(key.clone(), value.clone());
            }
        }
        true
    }

    /// Every value is the one before, or that of a step that was ordered; and none is of a share above what was.
    fn must_be_legal(&self, before: &Values) {
        let deployment = self.read();
        for (key, value) in &self.values {
            let of_step =
                |step: &Step| step.writes.iter().any(|(name, wanted)| name == key && Some(wanted) == value.as_ref());
            let was_ordered = deployment.plan.iter().take(deployment.reached + 1).any(of_step);
            assert!(value == &before[key] || was_ordered, "{key}: {value:?} was not ordered\n{deployment:?}");
        }
        if deployment.intent.is_none() {
            assert_eq!(self.values, expected(&deployment, before), "{deployment:?}");
        }
    }
}

/// The values that shall hold where nothing is under way.
fn expected(deployment: &Deployment, before: &Values) -> Values {
    let mut values = before.clone();
    if deployment.status != Status::RolledBack {
        for (key, value) in deployment.plan.iter().take(deployment.step + 1).flat_map(|step| &step.writes) {
            values.insert(key.clone(), Some(value.clone()));
        }
    }
    values
}

fn share(percent: u8) -> Vec<(String, String)> {
    ["pool", "breaker"].map(|key| (key.to_owned(), percent.to_string())).to_vec()
}

fn order(before: &Values) -> Order {
    Order {
        by: "ada".to_owned(),
        environment: "staging".to_owned(),
        approved: None,
        plan: usual(&[("monitoring".to_owned(), "on".to_owned())], share),
        target: Phase::Full,
        before: before.clone(),
        thresholds: Thresholds { attempts_min: 900, baseline_attempts_min: 900, ..Thresholds::of("staging") },
        pace: Default::default(),
    }
}

fn counted(attempts: u64, failures: u64) -> Sample {
    let mut latencies = Latencies::default();
    (0..attempts).for_each(|at| latencies.took(10 + at % 20));
    Sample { attempts, failures, latencies, health_score: Some(95), ..Sample::default() }
}

fn tick(seen: Sample) -> Event {
    Event::Tick { seen: Box::new(seen), control: None }
}

fn retry(before: Values) -> Event {
    Event::Retry { before, approved: None }
}

fn well() -> Event {
    tick(counted(400, 0))
}

fn badly() -> Event {
    tick(counted(400, 200))
}

/// One operator with the store, whose clock goes on by a minute with each event.
struct Operator {
    store: Store,
    before: Values,
    now: u64,
    fence: u64,
}

impl Operator {
    fn new(change: impl FnOnce(&mut Order)) -> Self {
        let mut store = Store::new();
        let before = store.values.clone();
        let mut order = order(&before);
        change(&mut order);
        let (document, effects) = start(order, None, Instant(0)).unwrap();
        assert!(effects.iter().all(|effect| store.carry_out(&document, effect)));
        Self { store, before, now: 0, fence: 1 }
    }

    fn next(&mut self, event: Event) -> Result<(Deployment, Vec<Effect>), Refused> {
        self.now += MINUTE;
        self.store.read().apply(self.fence, event, Instant(self.now))
    }

    /// Does what the event asks for, whole.
    fn does(&mut self, event: Event) -> Deployment {
        let (document, effects) = self.next(event).unwrap();
        for effect in &effects {
            assert!(self.store.carry_out(&document, effect), "{effect:?}");
            self.store.must_be_legal(&self.before);
        }
        self.fence = document.fence;
        if document.intent.is_some() { self.does(Event::Written) } else { self.store.read() }
    }

    /// The same in no time.
    fn does_at(&mut self, event: Event) {
        let (document, effects) = self.next(event).unwrap();
        assert!(effects.iter().all(|effect| self.store.carry_out(&document, effect)));
        self.fence = document.fence;
        if document.intent.is_some() {
            self.now -= MINUTE;
            self.does_at(Event::Written);
        }
    }

    /// Looks at well-being steps until one of them is over.
    fn passes(&mut self) -> Deployment {
        (0..3).map(|_| self.does(well())).last().unwrap()
    }
}

/// DEP-04 and DEP-05: each share from 10 to 100 % is held until its gates pass, and so is the full deployment, a last time.
#[test]
fn every_step_holds_for_three_looks_and_the_last_one_is_judged_as_well() {
    let mut operator = Operator::new(|_| {});
    let mut shares = Vec::new();
    for _ in 0..9 {
        let deployment = operator.store.read();
        shares.push((deployment.plan[deployment.step].phase, deployment.percent()));
        assert_eq!((deployment.status, deployment.looks), (Status::Running, 0));
        operator.passes();
    }
    let gradual = [10, 25, 50, 75, 100].map(|percent| (Phase::Gradual, percent));
    let first = [(Phase::Validation, 0), (Phase::Monitoring, 0), (Phase::Canary, 5)];
    assert_eq!(shares, [&first[..], &gradual, &[(Phase::Full, 100)]].concat());
    assert_eq!(operator.store.read().status, Status::Done);
    assert_eq!(operator.store.values["pool"].as_deref(), Some("100"));
    assert_eq!(operator.store.values["other"].as_deref(), Some("é 1.0"));
}

/// DEP-01: validation changes nothing, and what it counts becomes the baseline.
#[test]
fn validation_writes_nothing_and_monitoring_writes_monitoring_alone() {
    let mut operator = Operator::new(|_| {});
    assert_eq!(operator.store.values, operator.before);
    let deployment = operator.passes();
    assert_eq!(deployment.baseline.map(|baseline| baseline.attempts), Some(1_200));
    let changed: Vec<_> =
        operator.before.iter().filter(|(key, value)| &operator.store.values[*key] != *value).collect();
    assert_eq!(changed.len(), 1, "{changed:?}");
    assert_eq!(operator.store.values["monitoring"].as_deref(), Some("on"));
}

/// DEP-06: failures in each step bring back, byte for byte, what was there before the first.
#[test]
fn a_gate_that_fails_in_any_step_gives_back_the_exact_values_before() {
    for steps in 0..9 {
        let mut operator = Operator::new(|_| {});
        (0..steps).for_each(|_| drop(operator.passes()));
        let deployment = operator.does(badly());
        assert_eq!((deployment.status, deployment.percent()), (Status::RolledBack, 0), "{steps}");
        assert!(deployment.why.contains("error rate 50.00 %"), "{}", deployment.why);
        assert_eq!(operator.store.values, operator.before, "{steps}");
    }
}

/// SUC-06: where nothing is measured nothing goes on.
#[test]
fn what_is_not_known_pauses_and_never_goes_on() {
    for silence in [counted(0, 0), counted(10, 0), Sample { health_score: None, ..counted(400, 0) }] {
        let mut operator = Operator::new(|_| {});
        operator.passes();
        for look in 1..5 {
            let deployment = operator.does(tick(silence.clone()));
            assert_eq!((deployment.status, deployment.step, deployment.looks), (Status::Running, 1, look));
        }
        let deployment = operator.does(tick(silence));
        assert_eq!((deployment.status, deployment.step), (Status::Paused, 1));
        assert_eq!(deployment.judgement.unwrap().verdict, Verdict::Inconclusive);
        assert!(!deployment.why.is_empty());
        assert_eq!(operator.next(well()), Err(Refused::NotNow(Status::Paused)));
        assert_eq!(operator.does(retry(Values::new())).looks, 0);
        assert_eq!(operator.passes().step, 2);
    }
}

#[test]
fn who_does_not_have_the_new_is_compared_with_where_that_is_counted() {
    // Everybody fails more than before, and nobody because of the deployment.
    let seen = || counted(400, 8);
    let mut operator = Operator::new(|order| order.thresholds.baseline_attempts_min = 400);
    operator.passes();
    for _ in 0..3 {
        operator.does(Event::Tick { seen: Box::new(seen()), control: Some(Box::new(seen())) });
    }
    assert_eq!(operator.store.read().step, 2);
    for _ in 0..3 {
        let (deployment, _) = operator.next(tick(seen())).unwrap();
        assert_ne!(deployment.judgement.as_ref().map(|found| found.verdict), Some(Verdict::Pass));
    }
}

#[test]
fn nothing_is_looked_at_before_its_time() {
    let operator = Operator::new(|_| {});
    let deployment = operator.store.read();
    let early = deployment.apply(1, well(), Instant(MINUTE - 1));
    assert_eq!(early, Err(Refused::TooSoon { due_ms: MINUTE }));
    assert!(deployment.apply(1, well(), Instant(MINUTE)).is_ok());
}

/// DEP-15: in production nothing begins without the exact word.
#[test]
fn production_needs_the_exact_word_before_anything_is_done() {
    let before = Store::new().values;
    let with = |word: Option<&str>| Order {
        environment: "production".to_owned(),
        approved: word.map(str::to_owned),
        ..order(&before)
    };
    for word in [None, Some(""), Some("TRUE"), Some("true "), Some("1")] {
        assert!(matches!(start(with(word), None, Instant(0)), Err(Refused::NotApproved(_))), "{word:?}");
    }
    assert!(start(with(Some("true")), None, Instant(0)).is_ok());
}

#[test]
fn what_was_rolled_back_in_production_is_approved_anew() {
    let mut operator = Operator::new(|order| {
        (order.environment, order.approved) = ("production".to_owned(), Some("true".to_owned()));
    });
    operator.does(badly());
    let again =
        |approved: Option<&str>| Event::Retry { before: Store::new().values, approved: approved.map(str::to_owned) };
    for word in [None, Some("TRUE")] {
        assert!(matches!(operator.next(again(word)), Err(Refused::NotApproved(_))), "{word:?}");
    }
    assert_eq!(operator.does(again(Some("true"))).status, Status::Running);
}

#[test]
fn a_step_that_needs_approval_waits_for_it() {
    let mut operator = Operator::new(|order| {
        (order.environment, order.approved) = ("production".to_owned(), Some("true".to_owned()));
        order.plan[2].needs_approval = true;
    });
    operator.passes();
    let deployment = operator.passes();
    assert_eq!((deployment.status, deployment.step), (Status::AwaitingApproval, 1));
    let approve = |word: &str| Event::Approve { word: Some(word.to_owned()) };
    assert!(matches!(operator.next(approve("yes")), Err(Refused::NotApproved(_))));
    assert_eq!(operator.next(Event::Promote), Err(Refused::NotNow(Status::AwaitingApproval)));
    assert_eq!(operator.does(approve("true")).percent(), 5);
}

#[test]
fn somebody_may_pause_promote_and_abort() {
    let mut operator = Operator::new(|order| order.target = Phase::Canary);
    let paused = operator.does(Event::Pause { why: "lunch".to_owned() });
    assert_eq!((paused.status, paused.why.as_str()), (Status::Paused, "lunch"));
    assert_eq!(operator.does(Event::Promote).step, 1);
    assert_eq!(operator.does(Event::Promote).percent(), 5);
    assert_eq!(operator.does(Event::Promote).status, Status::Done);
    assert_eq!(operator.does(Event::Extend { target: Phase::Gradual }).percent(), 10);
    assert_eq!(operator.does(Event::Abort { why: "no".to_owned() }).status, Status::RolledBack);
    assert_eq!(operator.store.values, operator.before);
    assert_eq!(operator.next(Event::Abort { why: "no".to_owned() }), Err(Refused::NotNow(Status::RolledBack)));
}

#[test]
fn what_was_rolled_back_begins_anew_and_remembers_what_is_there_now() {
    let mut operator = Operator::new(|_| {});
    operator.passes();
    operator.does(badly());
    operator.store.values.insert("pool".to_owned(), Some("7".to_owned()));
    operator.before = operator.store.values.clone();
    let deployment = operator.does(retry(operator.before.clone()));
    assert_eq!((deployment.step, deployment.baseline), (0, None));
    (0..3).for_each(|_| drop(operator.passes()));
    assert_eq!(operator.store.values["pool"].as_deref(), Some("10"));
    operator.does(Event::Abort { why: String::new() });
    assert_eq!(operator.store.values["pool"].as_deref(), Some("7"));
}

#[test]
fn who_took_too_long_can_do_no_harm() {
    let mut operator = Operator::new(|_| {});
    operator.passes();
    (0..2).for_each(|_| drop(operator.does(well())));
    // Ada decides, saves, and stops before her writes. Her lock lapses.
    let (document, effects) = operator.next(well()).unwrap();
    assert!(operator.store.carry_out(&document, &effects[0]));
    let take = || Event::Take { by: "bob".to_owned() };
    let until = operator.now + LOCK_MS;
    let early = operator.store.read().apply(0, take(), Instant(until - 1));
    assert_eq!(early, Err(Refused::Locked { holder: "ada".to_owned(), until_ms: until }));
    operator.now = until;
    operator.fence = operator.does_alone(take()).fence;
    assert_eq!(operator.fence, document.fence + 1);
    operator.does(Event::Abort { why: "taken over".to_owned() });
    let values = operator.store.values.clone();
    // She wakes up.
    assert_eq!(effects.len(), 3);
    assert!(effects.iter().all(|effect| !operator.store.carry_out(&document, effect)));
    assert_eq!(
        operator.store.read().apply(document.fence, Event::Written, Instant(operator.now)),
        Err(Refused::Fenced)
    );
    assert_eq!((&operator.store.values, &operator.before), (&values, &values));
}

#[test]
fn two_who_take_the_lock_at_once_do_not_both_have_it() {
    let mut operator = Operator::new(|_| {});
    let read = operator.store.read();
    let later = Instant(LOCK_MS * 3);
    let (bobs, effects) = read.apply(0, Event::Take { by: "bob".to_owned() }, later).unwrap();
    let (carols, others) = read.apply(0, Event::Take { by: "carol".to_owned() }, later).unwrap();
    assert!(operator.store.carry_out(&bobs, &effects[0]));
    assert!(!operator.store.carry_out(&carols, &others[0]), "it replaces another revision");
}

#[test]
fn another_deployment_begins_only_when_this_one_is_over() {
    let mut operator = Operator::new(|_| {});
    let again =
        |operator: &Operator| start(order(&operator.before), Some(&operator.store.read()), Instant(operator.now));
    assert_eq!(again(&operator), Err(Refused::NotNow(Status::Running)));
    operator.does(badly());
    let (next, effects) = again(&operator).unwrap();
    let last = operator.store.read();
    assert_eq!((next.fence, next.revision), (last.fence + 1, last.revision + 1));
    assert!(operator.store.carry_out(&next, &effects[0]));
}

#[test]
fn plans_that_cannot_be_taken_back_are_refused() {
    let before = Store::new().values;
    let refused = |change: fn(&mut Order)| {
        let mut order = order(&before);
        change(&mut order);
        match start(order, None, Instant(0)) {
            Err(Refused::Wrong(problem)) => problem,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        refused(|order| drop(order.before.remove("pool"))),
        "the value before is known of every key that is written"
    );
    assert_eq!(refused(|order| order.plan.swap(2, 3)), "phases are in order");
    assert_eq!(refused(|order| order.plan[4].percent = 7), "shares never fall");
    assert_eq!(refused(|order| order.plan[8].percent = 101), "shares are 0 to 100");
    assert_eq!(
        refused(|order| order.plan[..2].iter_mut().for_each(|step| step.percent = 1)),
        "validation writes nothing"
    );
    assert_eq!(refused(|order| drop(order.plan.remove(0))), "a plan begins with validation");
    assert_eq!(refused(|order| order.plan.clear()), "a plan has 1 to 32 steps");
    assert_eq!(refused(|order| order.pace.looks_min = 6), "looksMin is 1 to looksMax, intervalMs at least 1");
    assert_eq!(refused(|order| order.thresholds.error_ratio_max = 2.0), "errorRatioMax is 0 to 1");
}

/// DEP-14: a document that was damaged is found out.
#[test]
fn documents_that_do_not_follow_are_found_out() {
    let mut operator = Operator::new(|_| {});
    operator.passes();
    let good = operator.store.read();
    let changed = |change: fn(&mut Deployment)| {
        let mut deployment = good.clone();
        change(&mut deployment);
        deployment.problem()
    };
    assert_eq!(changed(|_| {}), None);
    assert_eq!(changed(|found| found.step = 99), Some("there is no such step"));
    assert_eq!(changed(|found| found.step = 2), Some("a step holds that was not ordered"));
    assert!(changed(|found| found.intent = Some(Intent::Step(7))).is_some());
    assert!(changed(|found| found.intent = Some(Intent::Back)).is_some());
    assert!(changed(|found| drop(found.before.remove("pool"))).is_some());
}

impl Operator {
    /// Does what the event asks for, and leaves what was intended before as it is.
    fn does_alone(&mut self, event: Event) -> Deployment {
        let (document, effects) = self.next(event).unwrap();
        assert!(effects.iter().all(|effect| self.store.carry_out(&document, effect)));
        self.store.read()
    }

    fn is_alike(&self) -> Self {
        Self { store: self.store.clone(), before: self.before.clone(), now: self.now, fence: self.fence }
    }

    /// Somebody else takes over after a crash, and says what to do; nothing where nothing is to be done.
    fn takes_over(&mut self, by: &str, goes_on: bool) -> Option<Event> {
        self.now += LOCK_MS;
        self.fence = self.does_alone(Event::Take { by: by.to_owned() }).fence;
        let deployment = self.store.read();
        match (goes_on, deployment.intent, deployment.status) {
            (true, Some(_), _) => Some(Event::Resume),
            (false, None, Status::RolledBack) | (true, None, _) => None,
            (false, ..) => Some(Event::Abort { why: "crash".to_owned() }),
        }
    }

    /// Nothing is under way any more, and what holds is what the document says.
    fn must_be_over(&self) {
        let deployment = self.store.read();
        assert_eq!(deployment.intent, None);
        self.store.must_be_legal(&self.before);
        if deployment.status == Status::RolledBack {
            assert_eq!(self.store.values, self.before);
        }
    }

    /// Cuts the host off after each number of effects, from none to all with `Written` not said, and has somebody else recover,
    /// who is cut off `more` times in the same way.
    fn survives_a_crash(&self, document: &Deployment, effects: &[Effect], goes_on: bool, more: u32) -> usize {
        let mut points = 0;
        for done in 0..=effects.len() {
            let mut crashed = self.is_alike();
            for effect in &effects[..done] {
                assert!(crashed.store.carry_out(document, effect));
                crashed.store.must_be_legal(&crashed.before);
            }
            points += 1;
            if let Some(event) = crashed.takes_over("bob", goes_on) {
                if more > 0 {
                    let (document, effects) = crashed.is_alike().next(event.clone()).unwrap();
                    for goes_on in [true, false] {
                        points += crashed.survives_a_crash(&document, &effects, goes_on, more - 1);
                    }
                }
                crashed.does(event);
            }
            crashed.must_be_over();
            let recovered = crashed.store.values.clone();
            // The host was not dead, but slow: it goes on where it was, and then does all again.
            let left = effects.iter().skip(done).take(1);
            let again = effects.iter().take(if done == 0 { 1 } else { effects.len() });
            for effect in left.chain(again) {
                assert!(!crashed.store.carry_out(document, effect), "{effect:?} was let in, too late");
            }
            assert_eq!(crashed.store.values, recovered);
        }
        points
    }
}

/// DEP-06 and DEP-14: killed after any single write of any step or rollback, and whoever recovers killed as well, it ends legal.
#[test]
fn killed_after_every_single_write_a_deployment_goes_on_or_back() {
    let mut operator = Operator::new(|_| {});
    let mut points = 0;
    while operator.store.read().status != Status::Done {
        for kind in [well(), badly()] {
            let (document, effects) = operator.next(kind).unwrap();
            for goes_on in [true, false] {
                points += operator.survives_a_crash(&document, &effects, goes_on, 1);
            }
        }
        operator.does(well());
    }
    assert!(points > 1_000, "{points}");
}

#[test]
fn a_change_that_was_taken_back_by_the_same_operator_cannot_be_finished() {
    let mut operator = Operator::new(|_| {});
    operator.passes();
    let (document, effects) = operator.next(Event::Promote).unwrap();
    assert!(operator.store.carry_out(&document, &effects[0]));
    operator.fence = document.fence;
    assert_eq!(operator.next(well()), Err(Refused::Unfinished));
    operator.does(Event::Abort { why: "no".to_owned() });
    assert!(effects.iter().all(|effect| !operator.store.carry_out(&document, effect)));
    let now = Instant(operator.now);
    assert_eq!(operator.store.read().apply(document.fence, Event::Written, now), Err(Refused::Fenced));
    assert_eq!(operator.store.values, operator.before);
}

/// DEP-14: a record of which any byte is another one is refused, and so is one that contradicts itself.
#[test]
fn a_record_that_was_damaged_is_refused() {
    let mut operator = Operator::new(|_| {});
    operator.passes();
    let deployment = operator.store.read();
    let text = deployment.text().unwrap();
    assert_eq!(Deployment::read(&text), Ok(deployment.clone()));
    for at in 0..text.len() {
        let mut damaged = text.clone().into_bytes();
        damaged[at] ^= 1;
        let Ok(damaged) = String::from_utf8(damaged) else { continue };
        assert!(Deployment::read(&damaged).is_err(), "{at}: {damaged}");
        let cut_off = text.get(..at).map(Deployment::read);
        assert!(cut_off.is_none_or(|read| matches!(read, Err(Unkept::Form | Unkept::Checksum))), "{at}");
    }
    let contradicts = Deployment { step: 99, ..deployment };
    assert_eq!(Deployment::read(&contradicts.text().unwrap()), Err(Unkept::Contradicts("there is no such step")));
}

/// What is no number cannot be written as JSON: a record with it could never be read again.
#[test]
fn a_sample_that_is_no_number_does_not_spoil_the_record() {
    let mut operator = Operator::new(|_| {});
    let pool = Some(Pool { utilization_ratio: f64::NAN, acquire_timeouts: 0 });
    let deployment = operator.does(tick(Sample { pool, ..counted(400, 0) }));
    assert_eq!(Deployment::read(&deployment.text().unwrap()), Ok(deployment));
}

fn events() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(0..12_u8, 1..40)
}

fn event(kind: u8, before: &Values) -> Event {
    match kind {
        0 => badly(),
        1 => Event::Pause { why: "why".to_owned() },
        2 => retry(before.clone()),
        3 => Event::Abort { why: "why".to_owned() },
        4 => Event::Approve { word: None },
        5 => Event::Extend { target: Phase::Full },
        6..9 => Event::Promote,
        _ => well(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// The host is killed after each single effect of each event in turn; somebody else resumes, or takes it back.
    #[test]
    fn killed_after_any_effect_a_deployment_goes_on_or_back_and_ends_legal(kinds in events(), goes_on in any::<bool>()) {
        let mut operator = Operator::new(|order| order.plan[4].needs_approval = true);
        for kind in kinds {
            let Ok((document, effects)) = operator.next(event(kind, &operator.before.clone())) else { continue };
            operator.survives_a_crash(&document, &effects, goes_on, 0);
            for effect in &effects {
                prop_assert!(operator.store.carry_out(&document, effect));
            }
            operator.fence = document.fence;
            if document.intent.is_some() {
                operator.does(Event::Written);
            }
        }
    }

    /// Where document and values are one write, it comes to the same as write by write, and nothing is left to resume.
    #[test]
    fn at_once_comes_to_the_same_as_write_by_write(kinds in events()) {
        let mut operator = Operator::new(|_| {});
        let (mut document, mut values) = (operator.store.read(), operator.store.values.clone());
        for kind in kinds {
            let event = || event(kind, &operator.before);
            let now = Instant(operator.now + MINUTE);
            let at_once = document.apply_at_once(document.fence, event(), now);
            let refused = operator.store.read().apply(operator.fence, event(), now).err();
            prop_assert_eq!(at_once.as_ref().err(), refused.as_ref());
            let event = event();
            operator.now += MINUTE;
            let Ok((next, written)) = at_once else { continue };
            prop_assert_eq!((next.intent, next.revision), (None, document.revision + 1));
            prop_assert_eq!(next.problem(), None);
            values.extend(written);
            document = next;
            operator.now -= MINUTE;
            operator.does_at(event);
            let stepwise = operator.store.read();
            prop_assert_eq!(&values, &operator.store.values);
            prop_assert_eq!(&Deployment { revision: stepwise.revision, ..document.clone() }, &stepwise);
        }
    }

    #[test]
    fn the_document_survives_being_written_and_read(kinds in events()) {
        let mut operator = Operator::new(|_| {});
        for kind in kinds {
            let Ok((document, _)) = operator.next(event(kind, &operator.before.clone())) else { continue };
            let text = serde_json::to_string(&document).unwrap();
            prop_assert_eq!(serde_json::from_str::<Deployment>(&text).unwrap(), document);
            if let Ok((document, effects)) = operator.next(event(kind, &operator.before.clone())) {
                prop_assert!(effects.iter().all(|effect| operator.store.carry_out(&document, effect)));
                operator.fence = document.fence;
                if document.intent.is_some() {
                    operator.does(Event::Written);
                }
            }
        }
    }
}
