//! Environment variables as the deployable Worker takes them, and what holds when several say something.

use seawall::config::approval::{NotApproved, approve};
use seawall::config::keys::{KEYS, Key, Shape};
use seawall::config::parse::{Checked, Source, check_text};
use seawall::config::value::json;
use seawall::config::variables::table::{ADDRESSES, VARIABLES};
use seawall::config::variables::{Settings, read};

const BASE: [(&str, &str); 2] = [("TURSO_DATABASE_URL", "libsql://db.example"), ("TURSO_AUTH_TOKEN", "a-token")];

fn with(pairs: &[(&str, &str)]) -> Result<Settings, String> {
    let all = [pairs, &BASE].concat();
    read(|name| all.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()), false)
}

/// A setting's value as JSON, and who gave it.
fn value(pairs: &[(&str, &str)], path: &str) -> (String, String) {
    shown(&with(pairs).unwrap().checked, path)
}

fn shown(checked: &Checked, path: &str) -> (String, String) {
    let setting = checked.settings.iter().find(|setting| setting.key.path == path).unwrap();
    let source = match &setting.source {
        Source::Default => "default".to_owned(),
        Source::Option => "option".to_owned(),
        Source::Given(by) => by.clone(),
    };
    (json(setting.key, setting.value), source)
}

fn key(path: &str) -> &'static Key {
    KEYS.iter().find(|key| key.path == path).unwrap()
}

/// ENV-01: the address is required, and a bad one is named without being repeated.
#[test]
fn the_address_is_required() {
    let none = read(|_| None, false).unwrap_err();
    assert!(none.contains("TURSO_DATABASE_URL is not set"), "{none}");
    let bad = with(&[("TURSO_DATABASE_URL", "mysql://user:hunter2@db")]).unwrap_err();
    assert!(bad.contains("TURSO_DATABASE_URL has a scheme") && !bad.contains("hunter2"), "{bad}");
}

/// ENV-02: a remote database needs a token, one on this machine does not, and the token is never shown.
#[test]
fn a_remote_database_needs_a_token() {
    let only = |url: &str| {
        let url = url.to_owned();
        read(move |name| (name == "TURSO_DATABASE_URL").then(|| url.clone()), false)
    };
    assert!(only("libsql://db.example").unwrap_err().contains("TURSO_AUTH_TOKEN is not set"));
    for url in ["http://127.0.0.1:8080", "libsql://localhost:8080?tls=0", "https://localhost", "http://sqld:8080"] {
        assert!(only(url).is_ok(), "{url}");
    }
    let shown = format!("{:?}", with(&[("DB_MAX_CONNECTIONS", "3")]).unwrap());
    assert!(!shown.contains("a-token"), "{shown}");
}

/// ENV-03 to ENV-09: each variable of a flag sets that flag's default, and nothing but what it may be.
#[test]
fn variables_of_flags_set_their_defaults() {
    let of = |group: &str| VARIABLES.iter().filter(|it| it.of.starts_with(group)).collect::<Vec<_>>();
    assert_eq!((of("features.").len(), of("rollouts.").len()), (6, 3));
    for it in of("features.") {
        // The flag that older systems knew without the prefix is known both ways.
        let is_bare = it.name == "ENABLE_DETAILED_LOGGING";
        assert_eq!(it.name, it.of.replace("features.", if is_bare { "" } else { "FEATURE_" }));
        for (text, expected) in [("true", "true"), ("1", "true"), ("FALSE", "false"), ("0", "false")] {
            assert_eq!(value(&[(it.name, text)], it.of), (expected.to_owned(), it.name.to_owned()));
        }
        for text in ["yes", "2", "on"] {
            assert!(with(&[(it.name, text)]).unwrap_err().contains("must be true or false"), "{text}");
        }
    }
    for it in of("rollouts.") {
        assert_eq!(it.name, it.of.replace("rollouts.", "ROLLOUT_"));
        assert_eq!((value(&[], it.of).0.as_str(), value(&[(it.name, "100")], it.of).0.as_str()), ("0", "100"));
        for text in ["101", "-1", "1.5", "abc"] {
            let problem = with(&[(it.name, text)]).unwrap_err();
            assert!(problem.contains("must be a whole number from 0 to 100 %"), "{problem}");
            assert!(problem.contains(it.name) && problem.contains(text), "{problem}");
        }
    }
    assert_eq!(value(&[], "features.ENABLE_ENTERPRISE_MONITORING").0, "true");
    assert_eq!(value(&[], "features.ENABLE_CONNECTION_POOL").0, "false");
}

/// ENV-10 to ENV-13, ENV-19 to ENV-26, ENV-28 to ENV-31: each variable reaches its setting in its own unit.
#[test]
fn every_variable_reaches_its_setting_in_its_unit() {
    let table = [
        ("DB_MAX_CONNECTIONS", "4", "connectionPool.maxConnections", "4"),
        ("DB_CONNECTION_LIMIT", "6", "connectionPool.maxConnections", "6"),
        ("DB_ACQUIRE_TIMEOUT", "250", "connectionPool.acquireTimeout", "250"),
        ("DB_ACQUIRE_TIMEOUT", "2s", "connectionPool.acquireTimeout", "2000"),
        ("DB_POOL_TIMEOUT", "10", "connectionPool.acquireTimeout", "10000"),
        ("DB_POOL_TIMEOUT", "0.5", "connectionPool.acquireTimeout", "500"),
        ("DB_POOL_TIMEOUT", "250ms", "connectionPool.acquireTimeout", "250"),
        ("CB_FAILURE_THRESHOLD", "7", "circuitBreaker.failureThreshold", "7"),
        ("DB_CB_FAILURE_THRESHOLD", "8", "circuitBreaker.failureThreshold", "8"),
        ("CB_RECOVERY_TIMEOUT", "2000", "circuitBreaker.recoveryTimeout", "2000"),
        ("DB_CB_TIMEOUT", "60000", "circuitBreaker.recoveryTimeout", "60000"),
        ("DB_CIRCUIT_BREAKER", "false", "circuitBreaker.enabled", "false"),
        ("DB_MONITORING", "false", "monitoring.enabled", "false"),
        ("DB_TIMEOUTS", "false", "timeouts.enabled", "false"),
        ("DB_HEALTH_CHECK_INTERVAL", "5000", "health.checkInterval", "5000"),
        ("DB_ALERT_HEALTH_SCORE_THRESHOLD", "80", "alerts.healthScore", "80"),
        ("DB_ALERT_POOL_UTILIZATION_THRESHOLD", "70", "alerts.poolUtilization", "70"),
        ("DB_ALERT_QUERY_TIME_THRESHOLD", "500", "alerts.queryTime", "500"),
        ("DB_ALERT_ERROR_RATE_THRESHOLD", "2.5", "alerts.errorRate", "2.5"),
    ];
    for (name, text, path, expected) in table {
        assert_eq!(value(&[(name, text)], path), (expected.to_owned(), name.to_owned()), "{name}={text}");
    }
    let config = with(&[("DB_POOL_TIMEOUT", "10"), ("DB_TIMEOUTS", "0")]).unwrap().checked.config;
    assert_eq!((config.pool.acquire_timeout_ms, config.deadlines.query_ms), (10_000, 0));
    let defaults = ["alerts.healthScore", "alerts.poolUtilization", "alerts.queryTime", "alerts.errorRate"];
    assert_eq!(defaults.map(|path| value(&[], path).0), ["70", "80", "1000", "5"]);
}

/// ENV-19: of two variables for one setting the first of the table holds, and a difference is a warning.
#[test]
fn two_variables_that_differ_are_a_warning() {
    let settings = with(&[("DB_CONNECTION_LIMIT", "6"), ("DB_MAX_CONNECTIONS", "3")]).unwrap().checked;
    assert_eq!(shown(&settings, "connectionPool.maxConnections"), ("3".to_owned(), "DB_MAX_CONNECTIONS".to_owned()));
    let warning =
        "DB_MAX_CONNECTIONS and DB_CONNECTION_LIMIT set one setting and differ: 3 and 6; DB_MAX_CONNECTIONS holds";
    assert_eq!(settings.warnings, [warning]);
    let same = with(&[("DB_POOL_TIMEOUT", "2"), ("DB_ACQUIRE_TIMEOUT", "2000")]).unwrap().checked;
    assert!(same.warnings.is_empty(), "{:?}", same.warnings);
}

/// ENV-15: another variable names the database where the first is not set; what it holds is never repeated.
#[test]
fn the_second_variable_of_the_address_is_a_fallback() {
    let address = |pairs: &[(&str, &str)]| {
        let pairs = [pairs, &[("TURSO_AUTH_TOKEN", "t")]].concat();
        read(|name| pairs.iter().find(|(known, _)| *known == name).map(|(_, it)| (*it).to_owned()), false)
            .map(|settings| settings.address.name)
    };
    assert_eq!(address(&[("DATABASE_URL", "libsql://one")]).as_deref(), Ok("one"));
    assert_eq!(
        address(&[("DATABASE_URL", "libsql://one"), ("TURSO_DATABASE_URL", "libsql://two")]).as_deref(),
        Ok("two")
    );
    let problem = address(&[("DATABASE_URL", "postgresql://username:hunter2@localhost:5432/name")]).unwrap_err();
    assert!(problem.starts_with("DATABASE_URL has a scheme") && !problem.contains("hunter2"), "{problem}");
}

/// ENV-16 to ENV-18: addresses and keys of others are listed as secrets, and nothing of them is kept.
#[test]
fn what_others_read_is_listed_and_not_kept() {
    for name in ["REDIS_URL", "MONGODB_URL", "PG_META_CRYPTO_KEY"] {
        let listed = ADDRESSES.iter().find(|it| it.name == name).unwrap();
        assert!(listed.is_secret && listed.example.is_empty());
        assert!(!format!("{:?}", with(&[(name, "hunter2")]).unwrap()).contains("hunter2"));
    }
}

/// ENV-27, ENV-32: the webhook's address is a secret; the first of its two variables holds, and an empty one is none.
#[test]
fn the_webhook_is_a_secret() {
    let path = "alerts.webhookUrl";
    assert_eq!(value(&[("DB_ALERT_WEBHOOK_URL", "")], path), ("\"\"".to_owned(), "default".to_owned()));
    let set = value(&[("DB_ALERT_WEBHOOK_URL", "https://hooks.example/T0/B0/secret")], path);
    assert_eq!(set, ("\"(set)\"".to_owned(), "DB_ALERT_WEBHOOK_URL".to_owned()));
    assert_eq!(value(&[("CUSTOM_WEBHOOK_URL", "https://x")], path).1, "CUSTOM_WEBHOOK_URL");
    assert_eq!(key(path).shape, Shape::Secret);
}

/// ENV-14: production is migrated only with the exact word, anything else only as a dry run.
#[test]
fn a_migration_of_production_needs_the_exact_word() {
    assert_eq!(approve("production", Some("true"), false), Ok(()));
    for word in [None, Some("TRUE"), Some("1"), Some("yes"), Some(" true"), Some("")] {
        assert_eq!(approve("production", word, false), Err(NotApproved), "{word:?}");
        assert_eq!(approve("production", word, true), Ok(()));
        assert_eq!(approve("preview", word, false), Ok(()));
    }
    assert!(NotApproved.to_string().contains("PRODUCTION_MIGRATION_APPROVED=true"));
}

/// CFG-01, EVD-05: defaults follow the environment, an option holds before a variable, and that before a preset.
#[test]
fn the_stronger_word_holds() {
    assert_eq!(value(&[("ENVIRONMENT", "staging")], "environment"), ("\"preview\"".into(), "ENVIRONMENT".into()));
    assert_eq!(value(&[], "environment"), ("\"production\"".into(), "deployed Worker".into()));
    assert_eq!(value(&[("ENVIRONMENT", "staging")], "connectionPool.maxConnections").0, "2");
    assert!(with(&[("ENVIRONMENT", "prod-eu")]).unwrap_err().contains("ENVIRONMENT (environment) must be one of"));
    let text = |own: &str| {
        format!(
            r#"{{{own}"given":[["circuitBreaker.recoveryTimeout","CB_RECOVERY_TIMEOUT","1000"],
            ["circuitBreaker.recoveryTimeout","preset prisma","60000"],["circuitBreaker.minimumCalls","preset x","3"]]}}"#
        )
    };
    let path = "circuitBreaker.recoveryTimeout";
    let variable = check_text(&text("")).unwrap();
    assert_eq!(shown(&variable, path), ("1000".into(), "CB_RECOVERY_TIMEOUT".into()));
    assert_eq!(shown(&variable, "circuitBreaker.minimumCalls"), ("3".into(), "preset x".into()));
    assert!(variable.warnings.is_empty());
    let own = check_text(&text(r#""circuitBreaker":{"timeout":5},"#)).unwrap();
    assert_eq!(shown(&own, path), ("5".into(), "option".into()));
}

/// CFG-03: a value of a variable is told up to twenty characters, and everything at once.
#[test]
fn a_variable_that_strayed_is_not_repeated() {
    let secret = "eyJhbGciOiJFZERTQSJ9.secret";
    let problem = with(&[("DB_MAX_CONNECTIONS", secret), ("CB_FAILURE_THRESHOLD", "-1"), ("DB_TIMEOUTS", "maybe")]);
    let problem = problem.unwrap_err();
    assert!(!problem.contains("secret") && problem.contains("got a longer text"), "{problem}");
    for part in ["DB_MAX_CONNECTIONS (connectionPool.maxConnections)", "got \"-1\"", "got \"maybe\""] {
        assert!(problem.contains(part), "{part}: {problem}");
    }
}
