//! Rules of the circuit that users of other libraries expect, reached through settings.

use seawall::outcome::{Judgement, judge};
use seawall::policy::breaker::State;

use crate::host::{Host, lost, unavailable};

/// Half of at least four calls: the names of opossum.
const SHARE: &str = r#"{"circuitBreaker":{"failureThreshold":0,"errorThresholdPercentage":50,"volumeThreshold":4}}"#;

/// CB-09: a share with a minimum of calls, by the names that users of opossum know.
#[test]
fn a_percentage_opens_it_once_the_volume_is_there() {
    let mut host = Host::new(SHARE);
    host.fail(3);
    assert_eq!(host.state(), State::Closed);
    host.call(Judgement::SUCCESS);
    assert_eq!(host.state(), State::Open, "three of four");
}

#[test]
fn a_percentage_below_the_threshold_does_not_open_it() {
    let mut host = Host::new(SHARE);
    for _ in 0..50 {
        host.call(Judgement::SUCCESS);
        host.call(Judgement::SUCCESS);
        host.fail(1);
    }
    assert_eq!(host.state(), State::Closed);
}

#[test]
fn the_window_may_be_the_latest_calls() {
    let mut host = Host::new(
        r#"{"circuitBreaker":{"failureThreshold":0,"errorThresholdPercentage":50,"windowCalls":4,"monitorWindow":1}}"#,
    );
    host.fail(1);
    host.later(3_600_000).fail(1);
    host.call(Judgement::SUCCESS);
    assert_eq!(host.state(), State::Closed, "the window is not full");
    host.later(3_600_000).call(Judgement::SUCCESS);
    assert_eq!(host.state(), State::Open, "two of the last four, whenever they were");
}

/// CB-03: how much each class counts is a setting.
#[test]
fn a_class_counts_as_much_as_its_weight() {
    let rate_limited = || judge(429, "", true);
    let text = r#"{"circuitBreaker":{"failureThreshold":2,"rateLimitedWeight":50,"networkWeight":0}}"#;
    let mut host = Host::new(text);
    for _ in 0..3 {
        host.call(rate_limited());
        host.call(lost());
    }
    assert_eq!(host.state(), State::Closed);
    host.call(rate_limited());
    assert_eq!(host.state(), State::Open, "four halves are two");
}

#[test]
fn a_rate_limit_may_count_without_lengthening_a_row() {
    let text = r#"{"circuitBreaker":{"failureThreshold":0,"consecutiveFailures":2,"rateLimitedIsSoft":true},
        "retry":{"attempts":1}}"#;
    let mut host = Host::new(text);
    for _ in 0..5 {
        host.call(judge(429, "", true));
    }
    assert_eq!(host.state(), State::Closed);
    host.call(unavailable());
    host.call(judge(429, "", true));
    host.call(unavailable());
    assert_eq!(host.state(), State::Open);
}
