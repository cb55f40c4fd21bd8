//! Settings: raw in, checked out, all problems at once.

use seawall::config::keys::{ALIASES, KEYS, Shape};
use seawall::config::parse::parse;
use seawall::config::value::expected;

use crate::host::settings;

fn problems(text: &str) -> Vec<String> {
    match parse(text) {
        Ok(_) => panic!("accepted: {text}"),
        Err(problems) => problems.0,
    }
}

/// JSON that sets one dotted path.
fn setting(path: &str, value: &str) -> String {
    match path.split_once('.') {
        Some((group, name)) => format!(r#"{{"{group}":{{"{name}":{value}}}}}"#),
        None => format!(r#"{{"{path}":{value}}}"#),
    }
}

#[test]
fn every_problem_is_told_at_once_with_path_expectation_and_finding() {
    let text = r#"{
        "connectionPool": {"maxConnections": 0, "acquireTimeout": "soon", "maxConections": 3},
        "circuitBreaker": {"enabled": "yes", "failureRate": 1.5, "recoveryTimeout": -1},
        "retry": {"attempts": 2.5, "jitter": null},
        "timeouts": [],
        "cache": {}
    }"#;
    let mut found = problems(text);
    found.sort();
    let expected = [
        "cache: no such group of settings, or not an object",
        "circuitBreaker.enabled must be true or false, got \"yes\"",
        "circuitBreaker.failureRate must be a number from 0 to 1, got 1.5",
        "circuitBreaker.recoveryTimeout must be a whole number from 0 to 86400000 ms, got -1",
        "connectionPool.acquireTimeout must be a whole number from 0 to 86400000 ms, got \"soon\"",
        "connectionPool.maxConections: no such setting; did you mean connectionPool.maxConnections?",
        "connectionPool.maxConnections must be a whole number from 1 to 1000, got 0",
        "retry.attempts must be a whole number from 1 to 100, got 2.5",
        "retry.jitter must be a number from 0 to 1, got null",
        "timeouts: no such group of settings, or not an object",
    ];
    assert_eq!(found, expected);
    let message = parse(text).unwrap_err().to_string();
    assert!(message.starts_with("invalid configuration: ") && found.iter().all(|problem| message.contains(problem)));
}

#[test]
fn both_ends_of_every_range_are_accepted_and_what_lies_beyond_is_not() {
    for key in &KEYS {
        let (accepted, refused) = match key.shape {
            Shape::Whole { min, max } => {
                ([min.to_string(), max.to_string()], [format!("{}", min as i64 - 1), (max + 1).to_string()])
            }
            Shape::Number { min, max } => {
                ([min.to_string(), max.to_string()], [(min - 0.1).to_string(), (max + 0.1).to_string()])
            }
            Shape::Switch => (["true".into(), "false".into()], ["1".into(), "\"on\"".into()]),
            Shape::Secret => (["\"\"".into(), "\"a\"".into()], ["1".into(), "true".into()]),
            Shape::Choice(words) => {
                ([format!("\"{}\"", words[0]), format!("\"{}\"", words[words.len() - 1])], ["0".into(), "\"\"".into()])
            }
        };
        for value in accepted {
            // Values at their bounds may contradict each other; their own range must not be the problem.
            if let Err(found) = parse(&setting(key.path, &value)) {
                assert!(found.0.iter().all(|it| !it.contains("must be")), "{} = {value}: {found}", key.path);
            }
        }
        for value in refused {
            let found = problems(&setting(key.path, &value));
            let got = if key.shape == Shape::Secret { "something else" } else { &value };
            assert_eq!(found, [format!("{} must be {}, got {got}", key.path, expected(key))]);
        }
    }
}

#[test]
fn no_value_of_a_wrong_type_is_taken_for_a_number() {
    for key in &KEYS {
        for value in ["\"1\"", "[]", "{}", "null", "1e999"] {
            if key.shape == Shape::Secret && value == "\"1\"" {
                continue;
            }
            assert!(parse(&setting(key.path, value)).is_err(), "{} = {value}", key.path);
        }
    }
}

#[test]
fn what_is_no_object_is_refused() {
    for text in ["", "null", "[]", "\"{}\"", "{", "{\"retry\":", "\u{0}"] {
        assert_eq!(problems(text).len(), 1, "{text:?}");
    }
    let long = format!(r#"{{"x":"{}"}}"#, "a".repeat(65_536));
    assert_eq!(problems(&long), ["settings are longer than 65,536 bytes"]);
}

#[test]
fn a_problem_shows_at_most_forty_characters_of_a_value() {
    let secret = "s".repeat(10_000);
    let found = problems(&setting("retry.attempts", &format!("\"{secret}\"")));
    assert!(found[0].len() < 150, "{}", found[0]);
    let path = problems(&format!(r#"{{"{secret}":1}}"#));
    assert!(path[0].len() < 150, "{}", path[0]);
}

/// On Workers six connections may be open at once, whatever the settings say.
#[test]
fn the_platform_caps_the_leases() {
    let leases = |text: &str| settings(text).pool.leases_max;
    let on_workers = |own: &str| {
        leases(&format!(r#"{{"connectionPool":{{{own}}},"platform":{{"connectionsMax":6,"isProduction":true}}}}"#))
    };
    assert_eq!(on_workers(""), 5);
    assert_eq!(on_workers(r#""maxConnections":6"#), 6);
    assert_eq!(on_workers(r#""maxConnections":7"#), 6);
    assert_eq!(on_workers(r#""maxConnections":1000"#), 6);
    assert_eq!(leases(r#"{"connectionPool":{"maxConnections":1000}}"#), 1_000);
}

/// Whatever the host says of itself is no setting, and what it leaves out is harmless.
#[test]
fn what_the_host_says_wrongly_changes_nothing() {
    let plain = settings("{}");
    for platform in ["null", "3", "[]", r#"{"isProduction":"yes","connectionsMax":"six","database":7}"#] {
        assert_eq!(settings(&format!(r#"{{"platform":{platform}}}"#)), plain);
    }
}

/// CB-15: `timeout` is the time that the circuit stays open, in milliseconds.
#[test]
fn timeout_is_another_name_for_the_recovery_timeout() {
    let breaker = settings(r#"{"circuitBreaker":{"timeout":60000}}"#).breaker;
    assert_eq!((breaker.open.initial_ms, breaker.open.max_ms), (60_000, 60_000));
}

/// CB-22, CB-23, CB-24: the names of Python's breakers, with seconds.
#[test]
fn snake_case_names_are_taken_with_their_seconds() {
    let text = r#"{"circuitBreaker":{"failure_threshold":5,"recovery_timeout":60.0,"half_open_max_calls":3}}"#;
    let breaker = settings(text).breaker;
    assert_eq!((breaker.failures_max, breaker.open.initial_ms, breaker.probes_max), (5, 60_000, 3));
    for (seconds, ms) in [("0", 0), ("0.5", 500), ("1.001", 1_001), ("29.9996", 30_000), ("86400", 86_400_000)] {
        assert_eq!(settings(&setting("circuitBreaker.recovery_timeout", seconds)).breaker.open.initial_ms, ms);
    }
}

#[test]
fn two_names_that_differ_are_a_problem_that_names_both() {
    let differing =
        r#"{"circuitBreaker":{"recoveryTimeout":1000,"timeout":2000,"failureThreshold":3,"failure_threshold":4}}"#;
    assert_eq!(
        problems(differing),
        [
            "circuitBreaker.failureThreshold and circuitBreaker.failure_threshold are two names of one setting and \
             differ: 3 and 4",
            "circuitBreaker.recoveryTimeout and circuitBreaker.timeout are two names of one setting and differ: \
             1000 and 2000 ms",
        ]
    );
    let aliases = r#"{"circuitBreaker":{"timeout":1000,"recovery_timeout":2.5}}"#;
    assert_eq!(
        problems(aliases),
        ["circuitBreaker.timeout and circuitBreaker.recovery_timeout are two names of one setting and differ: \
          1000 and 2500 ms"]
    );
    let same = r#"{"circuitBreaker":{"recoveryTimeout":1000,"timeout":1000,"recovery_timeout":1}}"#;
    assert_eq!(settings(same).breaker.open.initial_ms, 1_000);
}

#[test]
fn another_name_has_the_range_of_its_setting() {
    for alias in &ALIASES {
        let key =
            KEYS.iter().find(|key| key.path == alias.of).unwrap_or_else(|| panic!("{} is of nothing", alias.path));
        assert!(!KEYS.iter().any(|key| key.path == alias.path), "{} is a setting itself", alias.path);
        let takes = alias.takes(key);
        for value in ["-1", "\"3\"", "1e15", "null"] {
            let found = problems(&setting(alias.path, value));
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].starts_with(&format!("{} must be {}, got ", alias.path, expected(&takes))), "{found:?}");
        }
    }
    assert_eq!(
        problems(&setting("circuitBreaker.recovery_timeout", "86401")),
        ["circuitBreaker.recovery_timeout must be a number from 0 to 86400 s, got 86401"]
    );
}

/// Databases with different names have different circuits in one store.
#[test]
fn each_database_has_its_own_number() {
    let id = |name: &str| settings(&format!(r#"{{"platform":{{"database":"{name}"}}}}"#)).breaker_id;
    assert_ne!(id("a.turso.io"), id("b.turso.io"));
    assert_eq!(id("a.turso.io"), id("a.turso.io"));
}

const OF_THE_HOST: [&str; 8] = [
    "state.coldReadTimeout",
    "preset",
    "consistency.",
    "tracing.",
    "metrics.statsInterval",
    "alerts.",
    "features.",
    "rollouts.",
];

/// Every setting reaches its policy: changing any one of them changes the checked settings. Some are the host's own.
#[test]
fn no_setting_is_without_effect() {
    for key in KEYS.iter().filter(|key| key.readers != 0 && !OF_THE_HOST.iter().any(|it| key.path.starts_with(it))) {
        let values: Vec<String> = match key.shape {
            Shape::Whole { min, max } => vec![(min + 1).to_string(), max.to_string()],
            Shape::Number { min, max } => vec![((min + max) / 2.0).to_string(), max.to_string()],
            Shape::Switch => vec!["true".into(), "false".into()],
            Shape::Secret => vec!["\"a\"".into()],
            Shape::Choice(words) => words.iter().map(|word| format!("\"{word}\"")).collect(),
        };
        let minimum = key.path == "connectionPool.minConnections";
        let values = if minimum { vec!["0".into()] } else { values };
        // A burst is one of a rate.
        let with_rate = |text: String| text.replacen(r#"{"rateLimit":{"#, r#"{"rateLimit":{"rate":1,"#, 1);
        let plain = if key.path == "rateLimit.burst" { r#"{"rateLimit":{"rate":1}}"# } else { "{}" };
        let given = |value: &String| {
            let text = setting(key.path, value);
            if key.path == "rateLimit.burst" { with_rate(text) } else { text }
        };
        let changes = values.iter().filter(|value| settings(&given(value)) != settings(plain)).count();
        assert!(changes > 0, "{} changes nothing", key.path);
    }
}
